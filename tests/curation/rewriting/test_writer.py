"""The local writer on a tiny random model: batches change nothing, ends are found, openings stay."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from nemo_lab.curation.rewriting.endpoint import EndpointError
from nemo_lab.curation.rewriting.tasks import TASKS, rephrase
from nemo_lab.curation.rewriting.writer import TOP_P, AskingWriter, LocalWriter, Sampler, WriterPrompt, model_folder
from nemo_lab.errors import LabError
from tests.one_thread import one_thread  # noqa: F401  a fixture for every test of the file

WORDS = ["<pad>", "<end>", "user", "assistant", *(f"w{n}" for n in range(28))]


@pytest.fixture(scope="module")
def writer():
    plain = Tokenizer(models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="w0"))
    plain.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="<pad>", eos_token="<end>")
    tokenizer.chat_template = "user {{ messages[0]['content'] }} assistant "
    torch.manual_seed(0)
    size = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = LlamaForCausalLM(
        LlamaConfig(vocab_size=len(WORDS), pad_token_id=0, eos_token_id=1, bos_token_id=None, **size)
    )
    model.generation_config.eos_token_id = 1
    model.generation_config.suppress_tokens = [0]  # padding is no word
    with torch.no_grad():
        model.lm_head.weight.mul_(20)  # no near ties
    return LocalWriter(model.eval(), tokenizer, batch_size=8, temperature=0)


PROMPTS = [WriterPrompt(" ".join(f"w{(n * k) % 28}" for k in range(1, 2 + n))) for n in range(1, 12)]


def test_batches_give_what_single_prompts_give(writer):
    alone = replace(writer, batch_size=1)
    assert writer.write(PROMPTS, 12) == alone.write(PROMPTS, 12)


def test_replies_end_or_are_cut(writer):
    replies = writer.write(PROMPTS, 12)
    assert {reply.ended for reply in replies} == {True, False}
    for reply in replies:
        assert reply.tokens < 12 if reply.ended else reply.tokens == 12
        assert "<" not in reply.text


def test_an_opening_is_part_of_the_reply(writer):
    (reply,) = writer.write([WriterPrompt("w3 w4", opening="w5 w6 ")], 4)
    assert reply.text.startswith("w5 w6 ")
    assert reply.tokens == writer.count(reply.text)
    (same,) = writer.write([WriterPrompt("w3 w4 assistant w5 w6")], 4)
    assert same.text != reply.text  # the opening is the writer's own words, not a part of the question


def test_no_prompts_no_replies(writer):
    assert writer.write([], 4) == []


def test_sampling_is_each_calls_own(writer):
    """Also beside other threads that sample, and unlike the greedy replies."""
    drawing = replace(writer, temperature=2.0)
    alone = drawing.write(PROMPTS, 12)
    with ThreadPoolExecutor(4) as pool:
        beside = list(pool.map(lambda _: drawing.write(PROMPTS, 12), range(4)))
    assert all(replies == alone for replies in beside)
    assert alone != writer.write(PROMPTS, 12)
    assert alone != replace(drawing, seed=1).write(PROMPTS, 12)


def test_tokens_are_drawn_from_the_nucleus_by_their_chances():
    """Chances 0.5, 0.25, 0.2, 0.05: the last one begins behind 0.9 of the mass and is never drawn."""
    chances = torch.tensor([0.05, 0.5, 0.2, 0.25])
    logits = (chances.log() * 0.7).expand(20_000, 4)
    drawn = Sampler(0.7, seed=3)(None, logits)
    assert (drawn.isfinite().sum(-1) == 1).all()
    share = drawn.argmax(-1).bincount(minlength=4) / len(logits)
    assert chances[1:].sum() - chances[2] < TOP_P < chances[1:].sum()
    assert share[0] == 0
    assert share.tolist() == pytest.approx([0, 0.5 / 0.95, 0.2 / 0.95, 0.25 / 0.95], abs=0.015)


def test_an_unknown_model_is_refused(tmp_path):
    with pytest.raises(LabError, match="none of the packaged models: smollm2"):
        LocalWriter.packaged(tmp_path / "absent")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"batch_size": 0}, "batch_size is 0; it must be a whole number of at least 1"),
        ({"temperature": -1}, "temperature is -1; it must be a finite number at least 0"),
        ({"seed": None}, "seed is None"),
    ],
)
def test_numbers_with_which_nothing_is_written_are_refused(change, words):
    with pytest.raises(LabError, match=words):
        LocalWriter(None, None, **change)


def test_a_writer_is_named():
    with pytest.raises(LabError, match="writer is None, expected the path"):
        model_folder(None)


@pytest.mark.parametrize("name", ["", " ", "gpt-of-my-own"])
def test_a_name_that_is_no_folder_is_refused(name):
    with pytest.raises(LabError, match=f"Writer '{name}' is no folder"):
        model_folder(name)


def test_a_folder_is_asked_for_what_a_model_needs(tmp_path, writer):
    with pytest.raises(LabError, match=r"without config.json, tokenizer_config.json, \*.safetensors"):
        model_folder(tmp_path)
    writer.model.save_pretrained(tmp_path)
    with pytest.raises(LabError, match=r"without tokenizer_config\.json;"):
        LocalWriter.packaged(tmp_path)
    writer.tokenizer.save_pretrained(tmp_path)
    assert LocalWriter.packaged(tmp_path).count("w1 w2 w3") == 3
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(LabError, match="does not open"):
        LocalWriter.packaged(tmp_path)


def test_a_model_without_a_chat_template_is_refused(tmp_path, writer):
    writer.model.save_pretrained(tmp_path)
    plain = PreTrainedTokenizerFast(tokenizer_object=writer.tokenizer.backend_tokenizer, pad_token="<pad>")
    plain.save_pretrained(tmp_path)
    with pytest.raises(LabError, match="no chat template"):
        LocalWriter.packaged(tmp_path)


def test_a_server_that_fails_now_and_then_costs_only_those_replies():
    asked = []

    def ask(question):
        asked.append(question)
        if len(asked) == 2:
            raise EndpointError("slow", "no answer within 1 s")
        return "Here is the condensed text: " + "it says this and that, " * (12 if len(asked) < 4 else 900)

    writer = AskingWriter(ask, lambda text: len(text.split()))
    result = rephrase([f"Text {n} " + "has many words of some kind. " * 8 for n in range(4)], TASKS["distill"], writer)
    assert result.dropped == {"no reply (slow)": 1, "reply cut off": 1}
    assert result.sources == [0, 2]
    assert len(asked) == result.segments == 4
