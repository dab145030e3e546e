"""Supervised fine-tuning: the loss counts the response and its end, and padding changes nothing."""

import pytest
import tiny_policy
import torch
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.reasoning import sft
from nemo_lab.reasoning.codec import Codec
from nemo_lab.reasoning.policy import token_logprobs
from nemo_lab.reasoning.questions.domains import draw
from nemo_lab.reasoning.rollouts import sample_responses
from nemo_lab.reasoning.sft import pair_batch, pair_source
from nemo_lab.studies.reasoning_toggle_rl.lessons import SumTeacher, lesson_pairs
from nemo_lab.training import TrainingError, TrainSettings, train, with_fingerprint
from nemo_lab.training.packing import IGNORE
from tests.reasoning.refusals import Call, refused

CODEC = tiny_policy.CODEC
TOKENS = st.lists(st.integers(2, 100), min_size=1, max_size=9)


@given(st.lists(st.tuples(TOKENS, TOKENS), min_size=1, max_size=5))
def test_targets_are_the_responses(pairs):
    prompts, responses = zip(*pairs, strict=True)
    batch = pair_batch(prompts, responses, CODEC.pad)
    for prompt, response, tokens, targets in zip(prompts, responses, batch.tokens_BL, batch.targets_BL, strict=True):
        assert targets[targets != IGNORE].tolist() == response
        assert tokens[: len(prompt)].tolist() == prompt
        assert int((targets != IGNORE).nonzero()[0]) == len(prompt) - 1


def test_padding_changes_no_probability():
    policy = tiny_policy.tiny_policy("M-*-", rope_theta=0.0)
    pairs = [("1+1=", "2"), ("<on>12+34=", "<think>6,4</think>46")]
    prompts, responses = zip(*[(CODEC.encode(p), [*CODEC.encode(r), CODEC.end]) for p, r in pairs], strict=True)
    together = token_logprobs(policy.model, pair_batch(prompts, responses, CODEC.pad))
    for i in range(2):
        alone = token_logprobs(policy.model, pair_batch(prompts[i : i + 1], responses[i : i + 1], CODEC.pad))[0]
        torch.testing.assert_close(together[i][together[i] != 0], alone[alone != 0], atol=1e-5, rtol=1e-4)


def test_a_model_learns_its_pairs_and_to_stop():
    policy = tiny_policy.tiny_policy(d_model=32)
    pairs = [("a=", "xy"), ("b=", "z")] * 4
    source = pair_source(lambda step: pairs, CODEC.encode, CODEC.end, CODEC.pad)
    train(policy.model, source, TrainSettings(150, 8, 1e-2, precision="fp32"), progress=False)

    rollout = sample_responses(
        policy.model, [CODEC.encode("a="), CODEC.encode("b=")], 6, end=CODEC.end, pad=CODEC.pad, temperature=0.0
    )
    assert [CODEC.decode(row) for row in rollout.responses()] == ["xy", "z"]
    assert rollout.ended_B.all()


def tuned(folder, pairs, stop=0):
    policy = tiny_policy.tiny_policy()

    def end(row):
        if row["step"] == stop:
            raise KeyboardInterrupt

    source = pair_source(pairs, policy.encode, policy.end, policy.pad)
    settings = TrainSettings(6, 4, 1e-2, precision="fp32", checkpoint_every=2)
    return train(policy.model, source, settings, folder=folder, progress=False, on_step=end)["loss"].tolist()


def lesson(seed=0, name="paired", slip=0.8):
    items = draw("sum", 20, seed=seed, level=2)
    return lesson_pairs(name, items, SumTeacher(slip), steps=6, batch_size=4, seed=seed)


def test_a_stopped_tuning_goes_on_bit_for_bit(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        tuned(tmp_path, lesson(), stop=3)
    assert tuned(tmp_path, lesson()) == tuned(None, lesson())


def test_a_folder_knows_its_pairs(tmp_path):
    tuned(tmp_path, lesson())
    for other in (lesson(seed=1), lesson(name="confused"), lesson(slip=0.5)):
        with pytest.raises(TrainingError, match=r"has data='\w+', now it is '\w+'; use another folder"):
            tuned(tmp_path, other)
    with pytest.raises(TrainingError, match=r"The pairs come from a function without a fingerprint"):
        tuned(tmp_path, lesson().function)


def test_a_source_is_known_by_its_codec_too():
    pairs = with_fingerprint(lambda step: [("a=", "xy")], "letters")
    known = {
        pair_source(pairs, codec.encode, end, 1).fingerprint for codec in (CODEC, Codec(("xy",))) for end in (0, 5)
    }
    assert len(known) == 4
    assert pair_source(pairs, CODEC.encode, 0, 1).fingerprint in known


@pytest.mark.parametrize(
    "call",
    [
        lambda: sft.pair_batch([], [], 1),
        lambda: sft.pair_batch(None, None, 1),  # type: ignore[arg-type]
        lambda: sft.pair_batch([[]], [[3]], 1),
        lambda: sft.pair_batch([[3]], [[]], 1),
        lambda: sft.pair_batch([[3]], [[3], [4]], 1),
        lambda: sft.pair_batch([[3]], [[3]], None),  # type: ignore[arg-type]
        lambda: sft.pair_batch([[3.5]], [[3]], 1),
        lambda: sft.pair_batch([[3]], [[3, 0.5]], 1),
    ],
)
def test_pairs_that_are_none(call: Call) -> None:
    refused(call)
