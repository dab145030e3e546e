"""Codec: every text comes back, words are single tokens, and the special tokens cannot be written in text."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.reasoning.codec import CHARACTERS, CONTROL_WORDS, END, Codec
from tests.reasoning.refusals import Call, refused

CODEC = Codec()


@given(st.text(alphabet=string.ascii_letters + string.digits + "<>/|+=\n", max_size=40))
def test_text_comes_back(text):
    assert CODEC.decode(CODEC.encode(text)) == text


@given(st.lists(st.sampled_from([*CONTROL_WORDS, "a", "<", "on>"]), max_size=8))
def test_words_among_characters_come_back(pieces):
    text = "".join(pieces)
    assert CODEC.decode(CODEC.encode(text)) == text


def test_words_are_single_tokens_and_the_longest_wins():
    codec = Codec(words=("not", "not sure"))
    assert len(codec.encode("not sure")) == 1
    assert len(codec.encode("not so")) == 1 + len(" so")


def test_special_tokens_are_ordinary_characters_in_text():
    assert CODEC.end not in CODEC.encode(END)
    assert CODEC.pad not in CODEC.encode(CHARACTERS)
    assert CODEC.end != CODEC.pad


def test_unknown_character_is_named():
    with pytest.raises(ValueError, match="'é'"):
        CODEC.encode("café")


@pytest.mark.parametrize(
    "call",
    [
        lambda: Codec(None),  # type: ignore[arg-type]
        lambda: Codec([""]),
        lambda: Codec(["wait", "wait"]),
        lambda: Codec().encode(None),  # type: ignore[arg-type]
        lambda: Codec().decode([999]),
    ],
)
def test_what_is_no_codec(call: Call) -> None:
    refused(call)
