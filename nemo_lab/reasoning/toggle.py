"""The reasoning toggle in a small chat model: whether to think is decided by the system prompt.

Llama-Nemotron (arXiv 2505.00949, sections 3 and 4) answers with a thought when the system prompt is
`detailed thinking on` and without one when it is `detailed thinking off`. The behaviour is taught by
supervised tuning on the same questions in both modes, mixed in each batch:

    on:   <think>⏎thought⏎</think>⏎⏎answer<end of turn>
    off:  answer<end of turn>

The loss counts the response and its end-of-turn token, nothing else. Which tokens count is known from how an
example is made and is carried in a mask. It is never derived from the padding id: some chat models, SmolLM2
among them, pad with the end-of-turn token, and a mask of "everything but padding" then leaves out the ends
as well, so that the tuned model never learns to stop.

Relative to the paper: its models were tuned in all weights on millions of answers. Here a model of 135 M
parameters sees a few hundred rows, which can teach the form and teaches no reasoning. The toggle is learned in a
sharp transition, whose place depends on the seed: look at the adherence in both modes, not at the loss. A loss
in which every row counts the same, tried so that short answers weigh more, was slower to teach the thought.

Shapes: B rows of a batch, L tokens of a row, K positions whose logits are needed, V vocabulary.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from nemo_lab.errors import LabError, one_of
from nemo_lab.progress import progress as progress_bar
from nemo_lab.progress import quiet
from nemo_lab.reasoning.questions.templates import END_THINK, MODES, SYSTEM_OFF, SYSTEM_ON, THINK, adheres
from nemo_lab.reasoning.rollouts import sample_responses
from nemo_lab.training import checkpoints
from nemo_lab.training.identity import fingerprint, identity_of, weights_fingerprint
from nemo_lab.training.loop import take_step
from nemo_lab.training.optimizer import adamw
from nemo_lab.training.packing import batch_rows
from nemo_lab.training.schedules import learning_rate
from nemo_lab.training.settings import TrainSettings

Example = tuple[list[int], list[bool]]
"""Tokens of a conversation, and for each whether it is predicted: the response and its end, nothing else."""


@dataclass(frozen=True)
class Chat:
    """A chat model, its tokenizer, and the token that ends a turn by the tokenizer's chat template."""

    model: Any
    tokenizer: Any
    end: int


def load_chat(folder: str | Path) -> Chat:
    """Open a local folder or a Hugging Face id in fp32; safetensors only, and no code of the model's own.

    Raises:
        LabError: a folder that holds no model, or a tokenizer without chat template or with one that ends a turn with
            nothing.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    place = Path(folder)
    local = place.exists() or place.is_absolute() or len(place.parts) != 2  # an id of the hub is owner/name
    if local and not (place / "config.json").is_file():
        raise LabError(f"{str(folder)!r} is no folder of a model: it has no config.json; give a folder or owner/name.")
    tokenizer = AutoTokenizer.from_pretrained(folder)
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    return chat_of(model.eval(), tokenizer)


def chat_of(model: Any, tokenizer: Any) -> Chat:
    """Put a loaded model and its tokenizer together, finding the token that ends a turn."""
    if not tokenizer.chat_template:
        raise LabError("The tokenizer has no chat template: not a chat model; give an instruction-tuned one.")
    turn = [{"role": "user", "content": "Q"}, {"role": "assistant", "content": "ANSWER"}]
    tail = tokenizer.apply_chat_template(turn, tokenize=False).rpartition("ANSWER")[2]
    ids = tokenizer(tail, add_special_tokens=False)["input_ids"]
    if not ids:
        raise LabError("The chat template ends a turn with nothing, so that a model cannot learn to stop.")
    return Chat(model, tokenizer, ids[0])


def prompt_tokens(chat: Chat, question: str, mode: str) -> list[int]:
    """Tokens of the system prompt of this mode and a question, up to where the model's turn begins."""
    if mode not in MODES:
        raise LabError(one_of("mode", mode, MODES))
    messages = [
        {"role": "system", "content": SYSTEM_ON if mode == "on" else SYSTEM_OFF},
        {"role": "user", "content": question},
    ]
    return list(chat.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=False))


def response_text(thought: str, answer: str, mode: str) -> str:
    """What the model shall say in this mode, without the end of the turn."""
    return f"{THINK}\n{thought}\n{END_THINK}\n\n{answer}" if mode == "on" else answer


def toggle_examples(pairs: Iterable[tuple[str, str, str]], chat: Chat) -> list[Example]:
    """Make two rows of each (question, thought, answer), one in each mode, in the order on, off, on, off."""
    examples = []
    for question, thought, answer in pairs:
        for mode in MODES:
            prompt = prompt_tokens(chat, question, mode)
            text = response_text(thought, answer, mode)
            response = [*chat.tokenizer(text, add_special_tokens=False)["input_ids"], chat.end]
            examples.append((prompt + response, [False] * len(prompt) + [True] * len(response)))
    return examples


# --- tuning


def pad_right(examples: Sequence[Example], fill: int) -> tuple[Tensor, Tensor, Tensor]:
    """Tokens, which of them are no padding, and which are predicted: three tensors of shape [B, L]."""
    length = max(len(tokens) for tokens, _ in examples)
    tokens_BL = torch.full((len(examples), length), fill)
    real_BL = torch.zeros(len(examples), length, dtype=torch.bool)
    counted_BL = torch.zeros(len(examples), length, dtype=torch.bool)
    for row, (tokens, counted) in enumerate(examples):
        tokens_BL[row, : len(tokens)] = torch.tensor(tokens)
        counted_BL[row, : len(tokens)] = torch.tensor(counted)
        real_BL[row, : len(tokens)] = True
    return tokens_BL, real_BL, counted_BL


def response_loss(chat: Chat, examples: Sequence[Example]) -> Tensor:
    """Mean nats a predicted token: −Σ log p(token | everything before it) / number of predicted tokens.

    Logits are computed only where some row predicts, for the vocabulary is a fifth of a small model's work.
    """
    device = next(chat.model.parameters()).device
    tokens_BL, real_BL, counted_BL = (tensor.to(device) for tensor in pad_right(examples, chat.end))
    at_K = counted_BL[:, 1:].any(0).nonzero().squeeze(1)  # a token is predicted one position before it
    logits_BKV = chat.model(
        input_ids=tokens_BL, attention_mask=real_BL.long(), use_cache=False, logits_to_keep=at_K
    ).logits
    counted_BK = counted_BL[:, at_K + 1]
    return F.cross_entropy(logits_BKV[counted_BK].float(), tokens_BL[:, at_K + 1][counted_BK])


def tune_toggle(
    chat: Chat,
    examples: Sequence[Example],
    *,
    steps: int,
    batch_size: int,
    lr: float,
    trainable_layers: int,
    seed: int = 0,
    folder: str | Path | None = None,
    checkpoint_every: int = 0,
    progress: bool = True,
) -> list[dict[str, float]]:
    """Tune the last layers of `chat.model` in place and return a row an update: step, loss, lr, seconds.

    The embedding, which is often the output matrix too, and the layers before stay as they are: no gradient
    is computed for them and the forward pass through them keeps nothing. AdamW without weight decay, 10 %
    linear warm-up and cosine decay as in the paper, matmuls in bf16.

    A batch holds `batch_size / 2` questions, each in both modes: at the first token of the response the two
    rows differ in the system prompt alone, so that what they share cancels and the toggle remains.

    Args:
        chat: what to tune.
        examples: pairs of rows, as `toggle_examples` makes them.
        steps, batch_size, lr, seed: as in `TrainSettings`; `batch_size` counts rows.
        trainable_layers: how many of the last layers to tune.
        folder: where checkpoints go, every `checkpoint_every` updates and after the last, and where to go on from with
            the same arguments and the chat model as it was at first; None keeps nothing.
        progress: whether to show a bar where somebody watches.

    Raises:
        LabError: rows without their pair, a trained weight that did not change, a frozen one that did, a gradient that
            is no number, or the folder of another run.
    """
    if len(examples) % 2 or batch_size % 2 or not examples:
        raise LabError(f"{len(examples)} examples in batches of {batch_size}: both must be even, rows go in pairs.")
    settings = TrainSettings(steps, batch_size, lr, warmup_steps=steps // 10, weight_decay=0.0, seed=seed)
    settings = replace(settings, checkpoint_every=checkpoint_every)
    trained = freeze_all_but_last(chat.model, trainable_layers)
    before = _fingerprints(chat.model)
    history = _tune(chat, examples, settings, Path(folder) if folder is not None else None, progress)
    _check_changes(before, _fingerprints(chat.model), trained)
    return history


def _tune(
    chat: Chat, examples: Sequence[Example], settings: TrainSettings, folder: Path | None, progress: bool
) -> list[dict[str, float]]:
    """Take the updates that the folder does not hold yet.

    `training.train` would do but for its loss: it is a float64 mean of what is here one of float32.
    """
    optimizer = adamw(chat.model, settings)
    run = _identity(chat, examples, settings) if folder else {}
    history = checkpoints.resume(folder, chat.model, optimizer, run) if folder else []
    chat.model.train()
    began = time.perf_counter() - (history[-1]["seconds"] if history else 0.0)
    steps = range(len(history), settings.steps)
    for step in progress_bar(steps, desc="tuning", unit="step") if progress else steps:
        rate = learning_rate(step + 1, settings)
        loss = _backward(chat, _rows(examples, settings, step))
        take_step(chat.model, optimizer, rate, settings.clip, update=step + 1)
        history.append({"step": step + 1, "loss": loss, "lr": rate, "seconds": time.perf_counter() - began})
        if folder and checkpoints.is_due(step + 1, settings.checkpoint_every, settings.steps):
            checkpoints.save(folder, chat.model, optimizer, history, run)
    chat.model.eval()
    return history


def _identity(chat: Chat, examples: Sequence[Example], settings: TrainSettings) -> dict[str, Any]:
    """What must be the same when tuning goes on."""
    return {
        "settings": asdict(settings),
        "model": identity_of(chat.model),
        "begins": weights_fingerprint(chat.model),
        "data": fingerprint(examples, chat.end),
    }


def _rows(examples: Sequence[Example], settings: TrainSettings, step: int) -> list[Example]:
    """The rows of a step, both of each question."""
    pairs = batch_rows(len(examples) // 2, settings.batch_size // 2, settings.seed, step)
    return [examples[row] for pair in pairs for row in (2 * pair, 2 * pair + 1)]


def _backward(chat: Chat, rows: Sequence[Example]) -> float:
    """Add the gradient of the mean loss over rows; returns that loss."""
    device = next(chat.model.parameters()).device
    with torch.autocast(device.type, torch.bfloat16):
        loss = response_loss(chat, rows)
    loss.backward()
    return float(loss.detach())


def freeze_all_but_last(model: nn.Module, trainable_layers: int) -> set[str]:
    """Leave gradients to the last layers' weights only; returns the names of those weights."""
    layers = max((m for m in model.modules() if isinstance(m, nn.ModuleList)), key=len)
    if not 1 <= trainable_layers <= len(layers):
        raise LabError(f"trainable_layers={trainable_layers} must be from 1 to {len(layers)}.")
    chosen = {id(p) for layer in layers[-trainable_layers:] for p in layer.parameters()}
    for parameter in model.parameters():
        parameter.requires_grad_(id(parameter) in chosen)
    return {name for name, parameter in model.named_parameters() if parameter.requires_grad}


def _fingerprints(model: nn.Module) -> dict[str, int]:
    """A 64-bit hash of every weight, computed where the weight is."""
    hashes = {name: torch.hash_tensor(weight.detach()) for name, weight in model.named_parameters()}
    return {name: int(value.view(torch.int64)) for name, value in hashes.items()}


def _check_changes(before: dict[str, int], after: dict[str, int], trained: set[str]) -> None:
    changed = {name for name in before if before[name] != after[name]}
    if changed != trained:
        wrong = sorted(changed ^ trained)
        raise LabError(f"Tuning should change {len(trained)} weights and no other; wrong: {wrong[:3]}.")


# --- answers


def chat_answers(
    chat: Chat,
    questions: Sequence[str],
    mode: str,
    max_new_tokens: int = 96,
    batch: int = 32,
    precision: str = "bf16",
) -> list[str]:
    """Answer each question greedily in this mode, `batch` of them at a time, without the end of the turn.

    A bf16 copy of the weights decodes, since autocast would convert them anew for every token.
    """
    model = _in_bf16(chat.model) if precision == "bf16" else chat.model
    answers: list[str] = []
    for first in range(0, len(questions), batch):
        prompts = [prompt_tokens(chat, question, mode) for question in questions[first : first + batch]]
        filler = int(chat.end == 0)  # any token but the end; it is masked
        found = sample_responses(model, prompts, max_new_tokens, end=chat.end, pad=filler, temperature=0.0)
        for tokens, ended in zip(found.responses(), found.ended_B.tolist(), strict=True):
            answers.append(chat.tokenizer.decode(tokens[:-1] if ended else tokens, skip_special_tokens=False))
    return answers


def _in_bf16(model: nn.Module) -> nn.Module:
    """A copy with bf16 parameters; buffers stay, for rotary frequencies must not be rounded."""
    twin = copy.deepcopy(model)
    for parameter in twin.parameters():
        parameter.data = parameter.data.to(torch.bfloat16)
    return twin


def adherence(answers: Sequence[str], mode: str) -> float:
    """Share of answers in the form of this mode (`templates.adheres`)."""
    return sum(adheres(answer, mode) for answer in answers) / max(len(answers), 1)
