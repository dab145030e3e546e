"""Bans and penalties of switches, token by token."""

import math
from typing import Any

import pytest
import tiny_policy
import torch

from nemo_lab.reasoning.codec import Codec
from nemo_lab.reasoning.retro.switch_bans import ban_switches, penalise_switches, switch_tokens
from tests.reasoning.refusals import Call, refused
from tests.reasoning.retro.scripted import (
    CODEC,
    KEYWORDS,
)


def banned(adjust: Any, codec: Codec, new: str) -> set[str]:
    adjust(torch.zeros(1, codec.vocab_size), [[]])  # a rollout begins without new tokens
    logits = adjust(torch.zeros(1, codec.vocab_size), [codec.encode(new)])
    return {codec.decode([i]) for i in range(codec.vocab_size) if logits[0, i] == -torch.inf}


def test_first_tokens_are_banned_through_the_first_blank_line_only() -> None:
    adjust = ban_switches(CODEC, KEYWORDS)
    first = {CODEC.decode([token]) for token in switch_tokens(CODEC, KEYWORDS)}
    assert {"Wait", "H", "Alternatively", "N", "w", "W"} <= first
    assert not {" ", "\n\n", "02", "so ", " sure"} & first
    for new in ("", "02x3=06", "\n\n", "\n\n02"):
        assert banned(adjust, CODEC, new) == first
    for new in ("02x3=06\n\n", "02x3=06\n\nW", "so x3\n\n06"):
        assert banned(adjust, CODEC, new) == set()


def test_always_bans_in_every_step_and_never_is_no_hook() -> None:
    adjust = ban_switches(CODEC, KEYWORDS, "always")
    assert banned(adjust, CODEC, "02x3=06\n\n02x3=06\n\n") == banned(adjust, CODEC, "") != set()
    assert ban_switches(CODEC, KEYWORDS, "never") is None


def test_completions_are_banned_given_the_text_so_far() -> None:
    adjust = ban_switches(CODEC, KEYWORDS, form="completion")
    assert banned(adjust, CODEC, "") == {"Wait", "Alternatively"}  # those of one token
    assert banned(adjust, CODEC, "Hm") == {"m", "M"}
    assert banned(adjust, CODEC, "Not") == {" sure"}  # a token for what is left
    assert banned(adjust, CODEC, "Not sur") == {"e", "E"}
    assert banned(adjust, CODEC, "Wai") == {"t", "T"}
    assert banned(adjust, CODEC, "x Hm") == set()  # not at the beginning of the step
    assert banned(adjust, CODEC, "02x3=06\n\nHm") == set()  # free


def test_keywords_of_any_case_and_of_pieces_are_caught() -> None:
    codec = Codec(["wa", "Wait", " wait", "waiting", "it"])
    completion = ban_switches(codec, ["wait"], form="completion")
    assert banned(completion, codec, "") == {"Wait", " wait"}  # not "waiting", another word
    assert banned(completion, codec, "wa") == {"it"}
    assert banned(completion, codec, " wai") == {"t", "T"}
    assert banned(ban_switches(codec, ["wait"]), codec, "") == {"wa", "Wait", " wait", "W"}


@pytest.mark.parametrize("form", ["first token", "completion"])
def test_rows_are_banned_each_for_itself_and_logits_stay(form: str) -> None:
    logits = torch.zeros(2, CODEC.vocab_size)
    out = ban_switches(CODEC, KEYWORDS, form=form)(logits, [[], CODEC.encode("02x3=06\n\n")])  # type: ignore[misc]
    assert (out[0] == -torch.inf).any()
    assert not (out[1] == -torch.inf).any()
    assert not logits.any()


@pytest.mark.parametrize("wrong", [{"ban": "sometimes"}, {"form": "last token"}])
def test_unknown_bans_are_refused(wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="valid:"):
        ban_switches(CODEC, KEYWORDS, **wrong)


def test_the_penalty_holds_for_beta_tokens_of_a_thought() -> None:
    adjust, wait = penalise_switches(CODEC, KEYWORDS, alpha=3, beta=4), CODEC.encode("Wait")[0]

    def off(new: str) -> float:
        return float(adjust(torch.zeros(1, CODEC.vocab_size), [CODEC.encode(new)])[0, wait])

    assert [off(new) for new in ("", "02x3=06", "02x3=06\n\n", "02x3=06\n\nWait")] == [-3, -3, 0, -3]
    assert float(adjust(torch.zeros(1, CODEC.vocab_size), [[]]).sum()) == -3 * len(switch_tokens(CODEC, KEYWORDS))


NAN = math.nan
POLICY = tiny_policy.tiny_policy()


@pytest.mark.parametrize(
    "call",
    [
        lambda: ban_switches(None),  # type: ignore[arg-type]
        lambda: ban_switches(POLICY, []),
        lambda: ban_switches(POLICY, "wait"),
        lambda: ban_switches(POLICY, [" "], form="completion"),
        lambda: penalise_switches(POLICY, alpha=NAN),
        lambda: penalise_switches(POLICY, beta=-1),
    ],
)
def test_no_codec_no_keywords_and_no_penalty(call: Call) -> None:
    refused(call)
