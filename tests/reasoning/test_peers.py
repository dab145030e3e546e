"""Ours against TRL: the same model, prompts and lengths on both sides."""

import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.modeling.huggingface import to_hf
from nemo_lab.reasoning import peers

SIZES = peers.Sizes(prompts=2, group=2, new_tokens=4, steps=1)


@pytest.mark.parametrize("model", peers.MODELS)
def test_both_sides_sample_and_train_the_same_model(model):
    ours, trl = (peers.measure(side, model, SIZES) for side in peers.SIDES)
    assert ours["parameters"] == trl["parameters"]
    for result in (ours, trl):
        assert len(result["seconds"]) == len(result["tokens"]) == SIZES.steps
        assert 4 <= result["tokens"][0] <= 16
        assert 0 <= result["first_reward"] <= 2


def test_the_exported_hybrid_is_the_same_function():
    tokens = torch.tensor([peers.CODEC.encode("123+456=")])
    model = peers.hybrid()
    with torch.no_grad():
        torch.testing.assert_close(model(tokens), to_hf(model)(tokens).logits, atol=1e-4, rtol=1e-4)


def test_the_tokenizer_is_the_codec():
    tokenizer = peers.tokenizer()
    for question in peers.questions(3):
        assert tokenizer(question)["input_ids"] == peers.CODEC.encode(question)
        assert tokenizer.decode(peers.CODEC.encode(question)) == question
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id) == (peers.CODEC.end, peers.CODEC.pad)


def test_mistakes_are_named():
    with pytest.raises(LabError, match="side"):
        peers.measure("theirs", "llama", SIZES)
    with pytest.raises(LabError, match="model"):
        peers.measure("trl", "gpt", SIZES)
