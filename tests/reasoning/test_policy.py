"""A policy: its end token, its weights, and small ones to begin with."""

from dataclasses import replace

import pytest
import tiny_policy
import torch

from nemo_lab.reasoning.codec import Codec
from nemo_lab.reasoning.policy import Policy, small_policy
from tests.reasoning.refusals import Call, refused


@pytest.mark.parametrize("end", [None, "<|im_end|>", -1, True])
def test_an_end_that_is_no_token_is_named(end):
    with pytest.raises(ValueError, match=r"end is .*; it must be the id of a token"):
        replace(tiny_policy.tiny_policy(), end=end)


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
    ],
)
def test_what_is_no_policy(call: Call) -> None:
    refused(call)
