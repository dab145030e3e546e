"""Chat templates: rendered by `transformers`, they are the prompts that training used, token by token."""

from pathlib import Path
from typing import Any

import pytest
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer, GenerationConfig, PreTrainedTokenizerFast

from nemo_lab.corpora.tokenization import train
from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridLM
from nemo_lab.modeling.chat_templates import FORMATS, end_of_turn, opening_of, template_of
from nemo_lab.modeling.huggingface import save_hf
from nemo_lab.reasoning.sft import pair_source
from tests.modeling.random_model import TINY

MODEL = HybridLM(TINY.with_(vocab_size=300))
TURNS = [{"role": "user", "content": "What is 2 + 2?"}, {"role": "assistant", "content": "It is 4."}]
ASKED = {  # what a tuning would write before the answer, and the token behind it; by hand from the published models
    "ChatML": ("<|im_start|>user\nWhat is 2 + 2?<|im_end|>\n<|im_start|>assistant\n", "<|im_end|>"),
    "Llama 3": (
        "<|start_header_id|>user<|end_header_id|>\n\nWhat is 2 + 2?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        "<|eot_id|>",
    ),
    "Phi 3": ("<|user|>\nWhat is 2 + 2?<|end|>\n<|assistant|>\n", "<|end|>"),
    "Gemma": ("<start_of_turn>user\nWhat is 2 + 2?<end_of_turn>\n<start_of_turn>model\n", "<end_of_turn>"),
    "Nemotron Nano 2": ("<SPECIAL_11>User\nWhat is 2 + 2?\n<SPECIAL_11>Assistant\n", "<SPECIAL_12>"),
}


def lab_tokenizer(markers: tuple[str, ...]) -> Any:
    tokenizer = train(["What is it? It is 2 + 2, user and assistant."] * 3, 290)
    tokenizer.add_special_tokens(list(markers))
    tokenizer.encode_special_tokens = False  # markers in the text of a prompt are markers
    return tokenizer


@pytest.mark.parametrize("name", FORMATS)
def test_a_saved_tokenizer_asks_as_training_did(name: str, tmp_path: Path) -> None:
    tokenizer = lab_tokenizer(FORMATS[name].markers)
    prompt, end = ASKED[name]
    pairs = [(prompt, "It is 4.")]
    source = pair_source(lambda step: pairs, lambda t: tokenizer.encode(t).ids, tokenizer.token_to_id(end), 1)
    folder = save_hf(MODEL, tmp_path / "chat", tokenizer)
    opened = AutoTokenizer.from_pretrained(folder)
    asked = opened.apply_chat_template(TURNS[:1], add_generation_prompt=True, return_dict=False)
    assert asked == tokenizer.encode(prompt).ids == source(0).tokens_BL[0, : len(asked)].tolist()
    assert tokenizer.token_to_id(FORMATS[name].markers[0]) in asked or name == "Nemotron Nano 2"
    whole = opened.apply_chat_template(TURNS, tokenize=False)
    assert whole.startswith(f"{prompt}It is 4.")
    assert end_of_turn(opened) == tokenizer.token_to_id(end)
    ends = GenerationConfig.from_pretrained(folder).eos_token_id
    assert ends == [tokenizer.token_to_id("<|endoftext|>"), tokenizer.token_to_id(end)]


OPENINGS = {"Llama 3": "<|begin_of_text|>", "Gemma": "<bos>", "Phi 3": "<s>"}


def opening_tokenizer(name: str) -> Any:
    """A tokenizer that puts a token before every text by itself, as the published ones of these formats do."""
    tokenizer = lab_tokenizer((*FORMATS[name].markers, OPENINGS[name]))
    token = (OPENINGS[name], tokenizer.token_to_id(OPENINGS[name]))
    tokenizer.post_processor = TemplateProcessing(single=f"{OPENINGS[name]} $A", special_tokens=[token])
    return tokenizer


@pytest.mark.parametrize("name", OPENINGS)
@pytest.mark.parametrize("is_wrapped", [False, True])
def test_a_prompt_begins_with_the_token_that_the_tokenizer_put_before_it_in_training(
    name: str, is_wrapped: bool, tmp_path: Path
) -> None:
    tokenizer = opening_tokenizer(name)
    prompt, end = ASKED[name]
    pairs = [(prompt, "It is 4.")]
    source = pair_source(lambda step: pairs, lambda t: tokenizer.encode(t).ids, tokenizer.token_to_id(end), 1)
    given = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>", pad_token="<|pad|>")
    opened = AutoTokenizer.from_pretrained(save_hf(MODEL, tmp_path / "chat", given if is_wrapped else tokenizer))
    asked = opened.apply_chat_template(TURNS[:1], add_generation_prompt=True, return_dict=False)
    assert asked == tokenizer.encode(prompt).ids == source(0).tokens_BL[0, : len(asked)].tolist()
    assert source(0).tokens_BL[0].tolist().count(tokenizer.token_to_id(OPENINGS[name])) == 1, "none before the answer"
    assert end_of_turn(opened) == tokenizer.token_to_id(end)


def test_a_token_that_is_only_in_the_vocabulary_opens_no_text() -> None:
    tokenizer = lab_tokenizer((*FORMATS["Gemma"].markers, "<bos>"))
    assert opening_of(PreTrainedTokenizerFast(tokenizer_object=tokenizer)) == ""
    assert opening_of(PreTrainedTokenizerFast(tokenizer_object=opening_tokenizer("Gemma"))) == "<bos>"


@pytest.mark.parametrize("name", ["ChatML", "Llama 3", "Phi 3", "Nemotron Nano 2"])
def test_a_system_prompt_comes_first_and_gemma_has_none(name: str, tmp_path: Path) -> None:
    opened = AutoTokenizer.from_pretrained(save_hf(MODEL, tmp_path / "chat", lab_tokenizer(FORMATS[name].markers)))
    said = opened.apply_chat_template([{"role": "system", "content": "Be kind."}, *TURNS], tokenize=False)
    assert 0 < said.index("Be kind.") < said.index(TURNS[0]["content"])
    gemma = AutoTokenizer.from_pretrained(save_hf(MODEL, tmp_path / "g", lab_tokenizer(FORMATS["Gemma"].markers)))
    with pytest.raises(Exception, match="no role system"):
        gemma.apply_chat_template([{"role": "system", "content": "Be kind."}], tokenize=False)


@pytest.mark.parametrize("tokens", [[], ["<|im_start|>"], ["<|end|>", "<|user|>"], ["<start_of_turn>", "<|im_end|>"]])
def test_without_all_markers_of_one_format_there_is_no_template(tokens: list[str], tmp_path: Path) -> None:
    assert template_of(tokens) is None
    opened = AutoTokenizer.from_pretrained(save_hf(MODEL, tmp_path / "plain", lab_tokenizer(tuple(tokens))))
    assert opened.chat_template is None
    assert end_of_turn(opened) is None


def test_markers_of_two_formats_do_not_say_which() -> None:
    assert template_of([*FORMATS["ChatML"].markers, *FORMATS["Gemma"].markers]) is None


def test_a_template_of_ones_own_goes_before_the_markers_and_a_tokenizers_own_stays(tmp_path: Path) -> None:
    tokenizer = lab_tokenizer(FORMATS["ChatML"].markers)
    own = "{% for message in messages %}{{ message['content'] }}!{% endfor %}"
    opened = AutoTokenizer.from_pretrained(save_hf(MODEL, tmp_path / "own", tokenizer, chat_template=own))
    assert opened.apply_chat_template(TURNS[:1], tokenize=False) == "What is 2 + 2?!"
    again = AutoTokenizer.from_pretrained(save_hf(MODEL, tmp_path / "again", opened))
    assert again.chat_template == own
    assert GenerationConfig.from_pretrained(tmp_path / "again").eos_token_id == again.eos_token_id
    with pytest.raises(LabError, match="a chat template but no tokenizer"):
        save_hf(MODEL, tmp_path / "none", chat_template=own)


def test_a_template_that_wants_other_turns_has_no_known_end(tmp_path: Path) -> None:
    wants = "{{ raise_exception('a system prompt is missing') }}"
    folder = save_hf(MODEL, tmp_path / "wants", lab_tokenizer(()), chat_template=wants)
    assert end_of_turn(AutoTokenizer.from_pretrained(folder)) is None
