"""Ours against TRL: the same model, prompts and lengths on both sides."""

from types import SimpleNamespace

import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.modeling.huggingface import to_hf
from nemo_lab.studies.performance import grpo
from tests.recorders import record

SIZES = grpo.StepSizes(prompts=2, group=2, new_tokens=4, steps=1)


@pytest.mark.parametrize("model", grpo.MODELS)
def test_both_sides_sample_and_train_the_same_model(model):
    ours, trl = (grpo.measure(side, model, SIZES) for side in grpo.SIDES)
    assert ours["parameters"] == trl["parameters"]
    for result in (ours, trl):
        assert len(result["seconds"]) == len(result["tokens"]) == SIZES.steps
        assert 4 <= result["tokens"][0] <= 16
        assert 0 <= result["first_reward"] <= 2


@pytest.mark.parametrize("model", grpo.MODELS)
def test_both_sides_have_the_same_prompts_group_lengths_and_updates(monkeypatch, model):
    import trl

    sizes, trainer = grpo.StepSizes(prompts=2, group=4, new_tokens=5, steps=3), []
    monkeypatch.setattr(grpo._Log, "result", lambda log, parameters: parameters)
    practised = record(monkeypatch, grpo, "grpo")
    monkeypatch.setattr(trl, "GRPOTrainer", lambda **given: trainer.append(given) or SimpleNamespace(train=int))
    assert grpo.run_ours(model, sizes, "fp32") == grpo.run_trl(model, sizes, "fp32")
    ours, (given,) = practised.calls[0], trainer
    settings, theirs = ours["settings"], given["args"]
    assert settings.steps == theirs.max_steps == sizes.steps + grpo.WARMUP
    assert settings.group == theirs.num_generations == 4
    assert settings.max_new_tokens == theirs.max_completion_length == 5
    assert settings.peak_lr == theirs.learning_rate
    assert settings.clip == theirs.max_grad_norm
    assert settings.temperature == theirs.temperature == 1.0
    assert settings.kl == theirs.beta == 0.0
    assert (settings.advantage, theirs.scale_rewards) == ("std", "group")
    assert theirs.per_device_train_batch_size * theirs.gradient_accumulation_steps == 2 * 4
    asked = [prompt.text for step in range(settings.steps) for prompt in ours["prompts"](step, 0)]
    assert asked == given["train_dataset"]["prompt"] == grpo.questions(2 * settings.steps)
    texts = ["aab", "abcd"]
    assert given["reward_funcs"](texts, [[1], [1]]) == [ours["reward"](None, text, True) for text in texts]
    tokens = torch.tensor([grpo.CODEC.encode(asked[0])])
    with torch.no_grad():
        shown = ours["policy"].model(tokens), given["model"].eval()(tokens).logits
    shown = [getattr(logits, "logits", logits) for logits in shown]
    torch.testing.assert_close(*shown, atol=1e-4, rtol=1e-4)


def test_the_exported_hybrid_is_the_same_function():
    tokens = torch.tensor([grpo.CODEC.encode("123+456=")])
    model = grpo.hybrid()
    with torch.no_grad():
        torch.testing.assert_close(model(tokens), to_hf(model)(tokens).logits, atol=1e-4, rtol=1e-4)


def test_the_tokenizer_is_the_codec():
    tokenizer = grpo.tokenizer()
    for question in grpo.questions(3):
        assert tokenizer(question)["input_ids"] == grpo.CODEC.encode(question)
        assert tokenizer.decode(grpo.CODEC.encode(question)) == question
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (grpo.CODEC.end, grpo.CODEC.pad)


def test_mistakes_are_named():
    with pytest.raises(LabError, match="side"):
        grpo.measure("theirs", "llama", SIZES)
    with pytest.raises(LabError, match="model"):
        grpo.measure("trl", "gpt", SIZES)
