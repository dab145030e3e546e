"""A policy: its end token, its weights, and small ones to begin with."""

from dataclasses import replace

import pytest
import tiny_policy
import torch

from nemo_lab.reasoning.codec import Codec
from nemo_lab.reasoning.experience import Prompt, gather
from nemo_lab.reasoning.grpo_loop import grpo
from nemo_lab.reasoning.grpo_settings import GRPOSettings
from nemo_lab.reasoning.policy import Policy, small_policy
from nemo_lab.reasoning.sft import pair_source
from tests.reasoning.refusals import Call, refused


@pytest.mark.parametrize("end", [None, "<|im_end|>", -1, True, [], [0, "<|im_end|>"], (0, -1)])
def test_an_end_that_is_no_token_is_named(end):
    with pytest.raises(ValueError, match=r"end is .*; it must be the id of a token"):
        replace(tiny_policy.tiny_policy(), end=end)


def test_several_ends_are_used_by_answers_experience_and_pairs(tmp_path):
    """The ids of Phi's and Gemma's generation settings go in as they are; pairs teach the first."""
    policy = replace(tiny_policy.tiny_llama(), end=[9, 0])
    asked = [Prompt("1+1="), Prompt("abc")]
    settings = GRPOSettings(steps=1, prompts=2, group=2, max_new_tokens=24)
    seen = []
    found, _ = gather(
        policy, lambda step, attempt: asked, lambda p, text, ended: seen.append(ended) or 0.0, settings, 0
    )
    last = [row[row != -100][-1].item() for row in found.batch.targets_BL]
    assert [token in (9, 0) for token in last] == seen == found.ended_B.tolist()
    source = pair_source(lambda step: [("a", "b")], policy.encode, policy.end, policy.pad)
    assert source(0).targets_BL.max(1).values.tolist() == [max(9, *policy.encode("b"))]
    assert pair_source(lambda step: [("a", "b")], policy.encode, 9, policy.pad).end == source.end
    ran = [grpo(policy, lambda s, a: asked, lambda p, t, e: float(e), settings, folder=tmp_path) for _ in range(2)]
    assert ran[0].equals(ran[1])


POLICY = tiny_policy.tiny_policy()


def test_kept_weights_come_back_and_the_policy_stays() -> None:
    before = POLICY.state()
    other = POLICY.with_state({name: tensor + 1 for name, tensor in before.items()})
    assert all(torch.equal(tensor, before[name]) for name, tensor in POLICY.state().items())
    assert all(torch.equal(tensor, before[name] + 1) for name, tensor in other.state().items())
    before["head.weight"].zero_()
    assert POLICY.state()["head.weight"].any()


@pytest.mark.parametrize(("pattern", "rope"), [("*-*-", 10_000.0), ("M*-", 0.0)])
def test_a_small_policy_has_positions_where_nothing_else_gives_them(pattern: str, rope: float) -> None:
    policy = small_policy(32, pattern, 3)
    assert policy.model.config.rope_theta == rope
    assert policy.vocab_size == Codec().vocab_size
    again = small_policy(32, pattern, 3).state()
    assert all(torch.equal(tensor, again[name]) for name, tensor in policy.state().items())
    assert not torch.equal(small_policy(32, pattern, 4).state()["head.weight"], again["head.weight"])


@pytest.mark.parametrize(
    "call",
    [
        lambda: small_policy(0, "*-"),
        lambda: small_policy(None, "*-"),  # type: ignore[arg-type]
        lambda: small_policy(16, ""),
        lambda: small_policy(16, "*-", None),  # type: ignore[arg-type]
        lambda: small_policy(16, "*-", nothing=3),
        lambda: POLICY.with_state({}),
        lambda: POLICY.with_state(None),  # type: ignore[arg-type]
        lambda: POLICY.with_state(small_policy(32, "*-").state()),
        lambda: Policy.of(None, Codec()),  # type: ignore[arg-type]
        lambda: Policy.of(POLICY.model, None),  # type: ignore[arg-type]
        lambda: replace(POLICY, model=None),
        lambda: replace(POLICY, encode=None),
        lambda: replace(POLICY, end=POLICY.pad),
        lambda: replace(POLICY, end=[POLICY.end, POLICY.pad]),
    ],
)
def test_what_is_no_policy(call: Call) -> None:
    refused(call)
