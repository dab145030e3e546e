"""Codec: every text comes back, words are single tokens, and the special tokens cannot be written in text."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.modeling.huggingface import save_hf
from nemo_lab.reasoning.codec import CHARACTERS, CONTROL_WORDS, END, Codec
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.questions.templates import SYSTEM_OFF, SYSTEM_ON, prompt_of
from nemo_lab.reasoning.sft import pair_source
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


def saved(tmp_path, codec):
    model = HybridLM(HybridConfig("M-", codec.vocab_size, 16, d_ff=16, ssm_heads=2, ssm_head_dim=8, ssm_groups=1))
    return AutoTokenizer.from_pretrained(save_hf(model, tmp_path / "model", codec))


TEXTS = ["<on>3+4=", "a b\n  c , d", "<on<off></think>x", "", "not sure, not so", CHARACTERS.replace("|", "")]


@pytest.mark.parametrize("codec", [CODEC, Codec(()), Codec(("not", "not sure", "a|b", " ."))])
def test_a_saved_codec_reads_and_writes_the_same_tokens(codec, tmp_path):
    opened = saved(tmp_path, codec)
    assert len(opened) == codec.vocab_size
    assert (opened.eos_token_id, opened.pad_token_id) == (codec.end, codec.pad)
    for text in TEXTS:
        assert opened(text)["input_ids"] == codec.encode(text)
        assert opened.decode([*codec.encode(text), codec.end], skip_special_tokens=True) == text
    with pytest.raises(Exception, match="UNK"):
        opened("café")
    assert (opened.chat_template is None) == (codec is not CODEC)


ITEMS = [Item("arithmetic", "347+586", "933"), Item("logic", "is it (A)", "yes"), Item("text", "a<b>c", "d")]


@pytest.mark.parametrize(("mode", "system"), [("on", SYSTEM_ON), ("off", SYSTEM_OFF), ("on", None)])
def test_its_chat_template_asks_as_training_did(mode, system, tmp_path):
    """The ids that `apply_chat_template` makes are those of the prompt and the pair that a policy is tuned on."""
    opened = saved(tmp_path, CODEC)
    for item in ITEMS:
        prompt = prompt_of(item, mode)
        source = pair_source(lambda step, p=prompt: [(p, "933")], CODEC.encode, CODEC.end, CODEC.pad)
        chat = [{"role": "system", "content": system}] * (system is not None) + [
            {"role": "user", "content": item.question}
        ]
        asked = opened.apply_chat_template(chat, add_generation_prompt=True, return_dict=False)
        assert asked == CODEC.encode(prompt) == source(0).tokens_BL[0, : len(asked)].tolist()
        whole = opened.apply_chat_template([*chat, {"role": "assistant", "content": "933"}], return_dict=False)
        assert whole == [*CODEC.encode(prompt), *CODEC.encode("933"), CODEC.end]


def test_a_system_prompt_that_is_no_mode_is_refused(tmp_path):
    with pytest.raises(Exception, match="detailed thinking on and detailed thinking off"):
        saved(tmp_path, CODEC).apply_chat_template([{"role": "system", "content": "be kind"}], tokenize=False)
