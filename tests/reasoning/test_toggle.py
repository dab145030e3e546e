"""The toggle: what the loss counts, that padding counts for nothing, and that a tuned model stops."""

import copy

import pytest
import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from nemo_lab.errors import LabError
from nemo_lab.reasoning import toggle as chats
from nemo_lab.reasoning.toggle import (
    adherence,
    chat_answers,
    chat_of,
    load_chat,
    pad_right,
    prompt_tokens,
    response_loss,
    toggle_examples,
    tune_toggle,
)
from nemo_lab.training import TrainSettings
from tests.interrupted import updates
from tests.recorders import assert_seed_decides

END = "<|im_end|>"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n{{ message['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PAIRS = [("1+1?", "One more than 1.", "2"), ("Say hello to my friend.", "Be kind.", "Hi"), ("2?", "Same.", "2")]
TUNING = {"batch_size": 4, "lr": 3e-3, "trainable_layers": 2, "progress": False}


def tiny_tokenizer() -> PreTrainedTokenizerFast:
    """Characters, and the trap of SmolLM2: the padding token is the end token."""
    special = ["<unk>", "<|im_start|>", END]
    vocabulary = {text: number for number, text in enumerate([*special, "\n", *map(chr, range(32, 127))])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<|im_start|>",
        eos_token=END,
        pad_token=END,
        chat_template=TEMPLATE,
    )


@pytest.fixture
def chat():
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=100,
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        tie_word_embeddings=True,
        eos_token_id=2,
        pad_token_id=None,  # the class would make that row of the embedding zero
        initializer_range=0.2,
    )
    return chat_of(LlamaForCausalLM(config).eval(), tiny_tokenizer())


def text_of(chat, tokens, counted, wanted):
    return chat.tokenizer.decode([t for t, c in zip(tokens, counted, strict=True) if c is wanted])


# --- examples


def test_the_loss_counts_the_response_and_its_end_only(chat):
    (on, off) = toggle_examples(PAIRS[:1], chat)
    assert text_of(chat, *on, True) == f"<think>\nOne more than 1.\n</think>\n\n2{END}"
    assert text_of(chat, *off, True) == f"2{END}"
    for (tokens, counted), mode in ((on, "on"), (off, "off")):
        assert text_of(chat, tokens, counted, False) == (
            f"<|im_start|>system\ndetailed thinking {mode}{END}\n<|im_start|>user\n1+1?{END}\n<|im_start|>assistant\n"
        )
        assert counted == sorted(counted), "first the prompt, then the response"
        assert tokens[: counted.index(True)] == prompt_tokens(chat, "1+1?", mode)


def test_every_question_is_there_in_both_modes(chat):
    examples = toggle_examples(PAIRS, chat)
    assert len(examples) == 2 * len(PAIRS)
    assert [chats.THINK in text_of(chat, *row, True) for row in examples] == [True, False] * len(PAIRS)


def test_the_end_token_counts_though_it_is_the_padding_token(chat):
    """SmolLM2's trap: a mask of 'all but the padding id' would count no end at all."""
    assert chat.end == chat.tokenizer.pad_token_id
    examples = toggle_examples(PAIRS, chat)
    tokens_BL, real_BL, counted_BL = pad_right(examples, chat.tokenizer.pad_token_id)
    assert int((counted_BL & (tokens_BL == chat.end)).sum()) == len(examples)
    assert real_BL.sum(1).tolist() == [len(tokens) for tokens, _ in examples]
    assert not (counted_BL & ~real_BL).any()


def test_the_end_is_found_in_the_template_and_not_in_the_settings(chat):
    """Llama 3 and others end a turn with another token than the tokenizer's eos."""
    chat.tokenizer.eos_token = "<unk>"
    assert chat_of(chat.model, chat.tokenizer).end == 2


@pytest.mark.parametrize(("template", "words"), [(None, "no chat template"), ("{{ messages[-1].content }}", "nothing")])
def test_a_tokenizer_that_cannot_teach_a_turn_is_refused(chat, template, words):
    chat.tokenizer.chat_template = template
    with pytest.raises(LabError, match=words):
        chat_of(chat.model, chat.tokenizer)


# --- loss and tuning


def test_padding_does_not_change_the_loss(chat):
    examples = toggle_examples(PAIRS, chat)
    alone = [float(response_loss(chat, [row]).detach()) for row in examples]
    weights = [sum(counted) for _, counted in examples]
    mean = sum(loss * n for loss, n in zip(alone, weights, strict=True)) / sum(weights)
    assert float(response_loss(chat, examples).detach()) == pytest.approx(mean, abs=1e-5)


def test_the_loss_is_that_of_the_full_logits(chat):
    (tokens, counted) = toggle_examples(PAIRS[:1], chat)[0]
    logprobs = chat.model(torch.tensor([tokens])).logits[0].log_softmax(-1)
    nats = [-logprobs[i - 1, tokens[i]] for i in range(len(tokens)) if counted[i]]
    expected = float(torch.stack(nats).mean().detach())
    assert float(response_loss(chat, [(tokens, counted)]).detach()) == pytest.approx(expected, abs=1e-5)


def short_answers(chat):
    """Rows of one mode with one answer: what a model of 0.1 M parameters learns in seconds."""
    return toggle_examples([(question, "", "Hi") for question, _, _ in PAIRS], chat)[1::2] * 2


def test_a_tuned_model_stops(chat):
    questions = [question for question, _, _ in PAIRS]
    before = chat_answers(chat, questions, "off", 20, precision="fp32")
    assert all(len(answer) >= 15 for answer in before), "untuned, it goes on until the limit"
    history = tune_toggle(chat, short_answers(chat), steps=30, **TUNING)
    assert history[-1]["loss"] < 0.1 < 1 < history[0]["loss"]
    assert chat_answers(chat, questions, "off", 20, precision="fp32") == ["Hi"] * 3


def test_a_tuned_model_follows_the_toggle(chat):
    tune_toggle(chat, toggle_examples(PAIRS, chat), steps=40, **{**TUNING, "batch_size": 6, "trainable_layers": 3})
    for mode in chats.MODES:
        answers = chat_answers(chat, [question for question, _, _ in PAIRS], mode, 60, precision="fp32")
        assert answers == [chats.response_text(thought, answer, mode) for _, thought, answer in PAIRS]
        assert adherence(answers, mode) == 1


def test_without_the_end_token_in_the_loss_it_does_not_stop(chat):
    """The mutant: masks as they come out of comparing with the padding id."""
    examples = [
        (row, [c and token != chat.end for token, c in zip(row, counted, strict=True)])
        for row, counted in short_answers(chat)
    ]
    tune_toggle(chat, examples, steps=30, **TUNING)
    answers = chat_answers(chat, [question for question, _, _ in PAIRS], "off", 20, precision="fp32")
    assert all(answer.startswith("Hi") and len(answer) > 10 for answer in answers)


@pytest.mark.parametrize(("rows", "batch_size"), [(3, 2), (4, 3), (0, 2)])
def test_rows_go_in_pairs(chat, rows, batch_size):
    with pytest.raises(LabError, match="both must be even"):
        tune_toggle(chat, toggle_examples(PAIRS, chat)[:rows], steps=1, **{**TUNING, "batch_size": batch_size})


@pytest.mark.parametrize("layers", [1, 2])
def test_only_the_last_layers_change(chat, layers):
    before = copy.deepcopy(chat.model.state_dict())
    tune_toggle(chat, toggle_examples(PAIRS, chat), steps=2, **{**TUNING, "trainable_layers": layers})
    changed = {name for name, weight in chat.model.state_dict().items() if not torch.equal(weight, before[name])}
    assert {name.split(".")[2] for name in changed} == {str(number) for number in range(3 - layers, 3)}
    assert all(name.startswith("model.layers.") for name in changed)


def test_the_seed_decides_which_questions_come_when_both_modes_of_each():
    examples = [(number, mode) for number in range(12) for mode in ("on", "off")]

    def order(seed):
        settings = TrainSettings(6, 4, 1e-3, seed=seed)
        return [chats._rows(examples, settings, step) for step in range(6)]

    assert_seed_decides(order)
    for rows in order(0):
        assert [mode for _, mode in rows] == ["on", "off"] * 2
        assert rows[0][0] == rows[1][0] != rows[2][0] == rows[3][0]
    assert len({number for rows in order(0) for number, _ in rows}) == 12, "an epoch asks each question once"


def test_tuning_is_a_function_of_its_seed(chat):
    examples, first = toggle_examples(PAIRS, chat), copy.deepcopy(chat)
    one = tune_toggle(chat, examples, steps=3, seed=1, **TUNING)
    two = tune_toggle(first, examples, steps=3, seed=1, **TUNING)
    assert [row["loss"] for row in one] == [row["loss"] for row in two]


@pytest.mark.parametrize("after", [{"a": 1, "b": 2}, {"a": 2, "b": 3}])
def test_a_change_of_the_wrong_weights_is_an_error(after):
    with pytest.raises(LabError, match="should change 1 weights and no other"):
        chats._check_changes({"a": 1, "b": 2}, after, {"b"})


@pytest.mark.parametrize("layers", [0, 4])
def test_layers_that_are_not_there(chat, layers):
    with pytest.raises(LabError, match="must be from 1 to 3"):
        chats.freeze_all_but_last(chat.model, layers)


# --- answers


@pytest.mark.parametrize("batch", [2, 5])
def test_answers_of_a_batch_are_those_of_one_by_one(chat, batch):
    questions = ["1", "A much longer question than the others?", "22", "What?", "abc"]
    tune_toggle(chat, toggle_examples(PAIRS, chat), steps=8, **TUNING)  # rows that end at different places
    together = chat_answers(chat, questions, "off", 24, batch=batch, precision="fp32")
    alone = [chat_answers(chat, [question], "off", 24, precision="fp32")[0] for question in questions]
    assert together == alone
    assert len(set(together)) > 1


def test_decoding_is_that_of_generate(chat):
    prompt = torch.tensor([prompt_tokens(chat, "What?", "on")])
    whole = chat.model.generate(
        prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=12, do_sample=False, pad_token_id=2
    )
    expected = chat.tokenizer.decode(whole[0, prompt.shape[1] :]).removesuffix(END)
    assert chat_answers(chat, ["What?"], "on", 12, precision="fp32") == [expected]


def test_the_bf16_copy_leaves_the_model_and_the_rotary_frequencies_alone(chat):
    before = copy.deepcopy(chat.model.state_dict())
    twin = chats._in_bf16(chat.model)
    assert {weight.dtype for weight in twin.parameters()} == {torch.bfloat16}
    assert {buffer.dtype for buffer in twin.buffers()} == {torch.float32}
    assert all(torch.equal(weight, before[name]) for name, weight in chat.model.state_dict().items())
    assert len(chat_answers(chat, ["a", "bc"], "off", 3)) == 2


@pytest.mark.parametrize(
    ("answer", "on", "off"),
    [
        ("<think>\nx\n</think>\n\n4", 1, 0),
        ("4", 0, 1),
        ("<think>x", 0, 0),
        ("</think><think>", 0, 0),
        ("So <think>x</think> 4", 0, 0),
        ("<think>a</think><think>b</think>", 0, 0),
        ("", 0, 1),
    ],
)
def test_adherence_is_the_form_and_nothing_but_the_form(answer, on, off):
    assert (adherence([answer], "on"), adherence([answer], "off")) == (on, off)


def test_adherence_is_a_share():
    assert adherence(["4", "<think>", "5", "6"], "off") == 0.75


@pytest.mark.parametrize("call", [lambda chat: prompt_tokens(chat, "?", "onn"), lambda chat: adherence(["4"], "onn")])
def test_an_unknown_mode_names_the_known(chat, call):
    with pytest.raises(LabError, match="Unknown mode 'onn', did you mean 'on'"):
        call(chat)


def test_a_folder_opens_without_a_word(chat, tmp_path, capfd):
    chat.model.save_pretrained(tmp_path)
    chat.tokenizer.save_pretrained(tmp_path)
    capfd.readouterr()
    opened = load_chat(tmp_path)
    assert capfd.readouterr().err == ""
    assert opened.end == chat.end
    assert opened.model.dtype == torch.float32
    assert not opened.model.training


def test_weights_in_a_pickle_are_not_read(chat, tmp_path):
    chat.model.save_pretrained(tmp_path)
    chat.tokenizer.save_pretrained(tmp_path)
    torch.save(chat.model.state_dict(), tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(OSError, match="safetensors"):
        load_chat(tmp_path)


@pytest.mark.parametrize("name", ["missing", "empty", "file", "/no/such/folder"])
def test_what_is_no_model_is_said_at_once(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("{}")
    with pytest.raises(LabError, match="is no folder of a model: it has no config"):
        chats.load_chat(name)


# --- checkpoints


def tune(chat, folder, pairs=PAIRS, **changes):
    how = TUNING | {"steps": 9, "seed": 1, "folder": folder, "checkpoint_every": 2} | changes
    return [(row["loss"], row["lr"]) for row in tune_toggle(chat, toggle_examples(pairs, chat), **how)]


def test_an_interrupted_tuning_goes_on_bit_for_bit(chat, tmp_path):
    again, whole = copy.deepcopy(chat), copy.deepcopy(chat)
    with updates(chats, before=6):
        tune(chat, tmp_path)
    with updates(chats) as taken:
        found = tune(again, tmp_path)
    assert taken == [5, 6, 7, 8, 9]
    assert found == tune(whole, None)
    for ours, theirs in zip(again.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lr": 1e-3}, "settings.peak_lr=0.003, now it is 0.001"),
        ({"pairs": PAIRS[::-1]}, "has data="),
        ({"trainable_layers": 1}, "model.trained="),
        ({"seed": 2}, "settings.seed=1, now it is 2"),
    ],
)
def test_a_folder_of_another_tuning_is_refused(chat, tmp_path, changes, said):
    fresh = copy.deepcopy(chat)
    tune(chat, tmp_path, steps=3)
    with pytest.raises(LabError, match=said):
        tune(fresh, tmp_path, steps=3, **changes)


def test_a_folder_knows_the_weights_it_began_from(chat, tmp_path):
    tune(chat, tmp_path, steps=3)
    with pytest.raises(LabError, match="has begins="):
        tune(chat, tmp_path, steps=3)
