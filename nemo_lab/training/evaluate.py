"""Bits per byte: how many bits the model needs for a byte of text it has not seen.

    bits per byte = Σ nats of the text's tokens / (ln 2 · UTF-8 bytes of the text)

Unlike the loss per token it does not depend on the tokenizer, so that models and corpora can be compared.

The convention is that of `packing.py`: eos begins a document and predicts its first token, so that every
byte is counted. The eos at the end is trained but not counted, for it stands for no byte (nanochat does the
same). A text longer than `length` tokens is cut into windows; the first token of a later window is predicted
from the last token of the one before and nothing else, as in training, where rows are cut in the same way.
Windows of different texts share a row under document numbers of their own, which is why evaluation is fast
and why a leak across documents would show in its test.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from nemo_lab.charsets import utf8_lengths
from nemo_lab.errors import check_texts, check_whole, shown
from nemo_lab.training.loop import prediction_nats
from nemo_lab.training.packing import IGNORE, Batch
from nemo_lab.training.settings import TrainingError

EOS = "<|endoftext|>"


class Window(NamedTuple):
    """A piece of one text: as many tokens, each predicting the target beside it, and the text's number."""

    tokens: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    text: int


def bits_per_byte(
    model: nn.Module,
    tokenizer: Any,
    texts: Iterable[str],
    *,
    length: int = 512,
    batch_size: int = 8,
    precision: str = "bf16",
) -> float:
    """Bits per byte over all `texts` together.

    Args:
        model: anything with `loss(tokens_BL, targets_BL, document_BL, reduction="none") -> [B, L]` in nats.
        tokenizer: a `tokenizers.Tokenizer` with the token "<|endoftext|>", or one of `transformers`.
        texts: strings; empty ones count for nothing.
        length: window in tokens; as long as the rows that were trained on.
        batch_size: rows at a time.
        precision: "bf16" for autocast, "fp32" for none.
    """
    nats, n_bytes = text_nats(model, tokenizer, texts, length=length, batch_size=batch_size, precision=precision)
    return _bits(nats, n_bytes)


def bits_per_byte_by_domain(
    model: nn.Module,
    tokenizer: Any,
    dataset: Any,
    *,
    column: str = "corpus",
    length: int = 512,
    batch_size: int = 8,
    precision: str = "bf16",
) -> dict[str, float]:
    """Bits per byte of each value of `column`, sorted by name.

    `dataset` is a `datasets.Dataset`, a data frame or a mapping with the columns `text` and `column`.
    """
    texts, domains = list(dataset["text"]), np.array([str(value) for value in dataset[column]])
    nats, n_bytes = text_nats(model, tokenizer, texts, length=length, batch_size=batch_size, precision=precision)
    masks = {name: domains == name for name in sorted(set(domains.tolist()))}
    return {name: _bits(nats[mask], n_bytes[mask]) for name, mask in masks.items()}


def text_nats(
    model: nn.Module,
    tokenizer: Any,
    texts: Iterable[str],
    *,
    length: int = 512,
    batch_size: int = 8,
    precision: str = "bf16",
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Nats and UTF-8 bytes of each text, two arrays as long as `texts`; arguments as in `bits_per_byte`.

    Raises:
        TrainingError: no tokenizer with an end of text, no list of texts, a window or a batch of nothing.
    """
    texts = check_texts("texts", texts, kind=TrainingError)
    for name, value in (("length", length), ("batch_size", batch_size)):
        check_whole(name, value, kind=TrainingError)
    encode, eos = _encoder(tokenizer)
    windows = list(_windows(encode(texts) if texts else [], length, eos))
    nats = np.zeros(len(texts))
    was_training = model.training
    model.eval()
    try:
        for rows in _batched(_filled_rows(windows, length), batch_size):
            _add_nats(nats, model, rows, eos, precision)
    finally:
        model.train(was_training)
    return nats, np.array(utf8_lengths(texts), dtype=np.int64)


def _bits(nats: npt.NDArray[np.float64], n_bytes: npt.NDArray[np.int64]) -> float:
    total = int(n_bytes.sum())
    if total == 0:
        raise TrainingError("There is no text to evaluate: all texts are empty; check the split.")
    return float(nats.sum()) / (math.log(2) * total)


def _encoder(tokenizer: Any) -> tuple[Callable[[Sequence[str]], list[list[int]]], int]:
    """How to turn texts into ids, and eos's id, for a tokenizer of either library."""
    if not (hasattr(tokenizer, "token_to_id") or hasattr(tokenizer, "eos_token_id")):
        raise TrainingError(f"tokenizer is {shown(tokenizer)}, expected one of tokenizers or of transformers.")
    if hasattr(tokenizer, "token_to_id"):
        eos = tokenizer.token_to_id(EOS)

        def encode(texts: Sequence[str]) -> list[list[int]]:
            return [e.ids for e in tokenizer.encode_batch(list(texts), add_special_tokens=False)]
    else:
        eos = tokenizer.eos_token_id

        def encode(texts: Sequence[str]) -> list[list[int]]:
            return tokenizer(list(texts), add_special_tokens=False)["input_ids"]

    if eos is None:
        raise TrainingError(f"The tokenizer has no end-of-text token ({EOS}); train or load one that has.")
    return encode, int(eos)


def _windows(documents: Iterable[Sequence[int]], length: int, eos: int) -> Iterator[Window]:
    for number, ids in enumerate(documents):
        targets = np.asarray(ids, dtype=np.int64)
        tokens = np.concatenate([[eos], targets[:-1]]).astype(np.int64)
        for first in range(0, len(targets), length):
            yield Window(tokens[first : first + length], targets[first : first + length], number)


def _filled_rows(windows: Sequence[Window], length: int) -> list[list[Window]]:
    """Put windows, longest first, each into the fullest row that still holds it (best fit, decreasing)."""
    rows: list[list[Window]] = []
    room: list[tuple[int, int]] = []  # (tokens still free, row), sorted
    for window in sorted(windows, key=lambda one: -len(one.tokens)):
        size = len(window.tokens)
        at = bisect_left(room, (size, -1))
        free, row = room.pop(at) if at < len(room) else (length, len(rows))
        if row == len(rows):
            rows.append([])
        rows[row].append(window)
        if free > size:
            insort(room, (free - size, row))
    return rows


def _batched(rows: Sequence[list[Window]], batch_size: int) -> Iterator[Sequence[list[Window]]]:
    return (rows[first : first + batch_size] for first in range(0, len(rows), batch_size))


def _add_nats(
    nats: npt.NDArray[np.float64], model: nn.Module, rows: Sequence[list[Window]], eos: int, precision: str
) -> None:
    """Add to `nats` what the windows in `rows` cost, each to its text."""
    width = max(sum(len(window.tokens) for window in row) for row in rows)
    tokens_BL = np.full((len(rows), width), eos)
    targets_BL = np.full((len(rows), width), IGNORE)
    document_BL = np.full((len(rows), width), max(map(len, rows)))
    text_BL = np.zeros((len(rows), width), dtype=np.int64)
    for b, row in enumerate(rows):
        first = 0
        for number, window in enumerate(row):
            part = slice(first, first + len(window.tokens))
            tokens_BL[b, part], targets_BL[b, part] = window.tokens, window.targets
            document_BL[b, part], text_BL[b, part] = number, window.text
            first = part.stop
    loss_BL = _loss(model, tokens_BL, targets_BL, document_BL, precision=precision)
    counted = targets_BL != IGNORE
    np.add.at(nats, text_BL[counted], loss_BL[counted])


def _loss(model: nn.Module, *arrays_BL: npt.NDArray[np.int64], precision: str = "bf16") -> npt.NDArray[np.float64]:
    device = next(model.parameters()).device
    tokens_BL, targets_BL, document_BL = (torch.from_numpy(array).to(device) for array in arrays_BL)
    with torch.no_grad():
        loss_BL = prediction_nats(model, Batch(tokens_BL, targets_BL, document_BL), precision)
    return loss_BL.double().cpu().numpy()
