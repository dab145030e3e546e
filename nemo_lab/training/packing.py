"""Packing: documents of any length become equal rows, and every token is predicted exactly once.

The stream is `eos d1 eos d2 … eos dn`: an eos *begins* a document, carries the document's number, and is the
input from which its first token is predicted. The last token of a document predicts the eos that follows.
The target of a position is therefore always the next token of the stream, and no prediction is lost or made
from another document's text: state, convolution and attention start afresh where the document number
changes, which is at the eos. Evaluation (`evaluate.py`) uses the same convention, so that the first byte of a
text counts and is predicted by what training has seen.

The stream is cut into rows of `length`. A document that meets the end of a row goes on in another row with
the same number and no memory of its beginning; this is how Megatron and nanochat pack, and the rows then
need no padding but in the last one. Padding the tail of every row or sorting documents by length would waste
work or bias the batches.

Shapes: N rows, B rows of a batch, L tokens of a row.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from nemo_lab.errors import check_instance, check_whole, shown
from nemo_lab.files import read_tensors, write_arrays
from nemo_lab.training.settings import TrainingError

IGNORE = -100
"""The target that counts for nothing, as in `torch.nn.functional.cross_entropy`."""

Ints = npt.NDArray[np.int32]


class Batch(NamedTuple):
    """What one step of training reads: three int64 tensors of shape [B, L]."""

    tokens_BL: torch.Tensor
    targets_BL: torch.Tensor
    document_BL: torch.Tensor


@dataclass(frozen=True)
class Packed:
    """Rows of tokens, what each token shall predict (`IGNORE`: nothing), and the document it belongs to.

    Three int32 arrays of shape [N, L]; document numbers do not decrease within a row. Whoever wants to train
    on parts of the text only (answers, not questions) makes one with `IGNORE` in the other targets.
    """

    tokens_NL: Ints
    targets_NL: Ints
    document_NL: Ints

    def __post_init__(self) -> None:
        """Refuse arrays that do not belong together."""
        shapes = [array.shape for array in (self.tokens_NL, self.targets_NL, self.document_NL)]
        if len(set(shapes)) != 1 or len(shapes[0]) != 2 or 0 in shapes[0]:
            raise TrainingError(f"Packed needs three arrays of one shape [rows, length], not {shapes}.")

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.tokens_NL)

    @property
    def n_targets(self) -> int:
        """Number of predictions in one epoch."""
        return int(np.count_nonzero(self.targets_NL != IGNORE))

    @property
    def fingerprint(self) -> str:
        """Shape and checksum, by which a resumed run knows its data again."""
        check = 0
        for array in (self.tokens_NL, self.targets_NL, self.document_NL):
            check = zlib.crc32(np.ascontiguousarray(array).data, check)
        return f"{self.tokens_NL.shape[0]}x{self.tokens_NL.shape[1]}-{check:08x}"

    def save(self, path: Path) -> None:
        """Write the rows to one safetensors file; nothing half-written is ever left under that name."""
        write_arrays(Path(path), {name: getattr(self, name) for name in _FIELDS})


_FIELDS = ("tokens_NL", "targets_NL", "document_NL")


def load_packed(path: Path) -> Packed:
    """Read what `Packed.save` wrote; anything else is a `LabError` of one sentence."""
    arrays = {name: tensor.numpy() for name, tensor in read_tensors(Path(path)).items()}
    if set(arrays) != set(_FIELDS):
        raise TrainingError(f"{path} holds {sorted(arrays)}, not the packed rows {list(_FIELDS)}.")
    return Packed(**arrays)


def pack(documents: Iterable[Sequence[int]], length: int, *, eos: int) -> Packed:
    """Pack token ids of documents, without any eos of their own, into rows of `length` tokens.

    Empty documents are left out: they hold nothing to predict. The rest of the last row is padded with eos
    under a document number of its own and predicts nothing.

    Raises:
        TrainingError: no text, documents that are no lists of token ids, a length below 1.
    """
    check_whole("length", length, kind=TrainingError)
    if not isinstance(documents, Iterable):
        raise TrainingError(f"documents is {shown(documents)}, expected a list of token ids for each document.")
    ids = [np.asarray(document) for document in documents if _size(document)]
    if not ids:
        raise TrainingError("There is no text to pack: every document is empty; check the corpus.")
    sizes = np.array([len(document) for document in ids]) + 1
    stream = _stream(ids, sizes, eos)
    document = np.repeat(np.arange(len(ids), dtype=np.int32), sizes)
    targets = np.append(stream[1:], np.int32(eos))  # the last document ends like the others
    return Packed(_rows(stream, length, eos), _rows(targets, length, IGNORE), _rows(document, length, len(ids)))


def _size(document: Any) -> int:
    if isinstance(document, str | bytes) or not hasattr(document, "__len__"):
        raise TrainingError(f"A document is {shown(document)}, expected a list of token ids; encode texts first.")
    return len(document)


def _stream(ids: list[npt.NDArray[np.integer]], sizes: npt.NDArray[np.int64], eos: int) -> Ints:
    text = np.concatenate(ids)
    if text.ndim != 1 or not np.issubdtype(text.dtype, np.integer) or text.min() < 0:
        raise TrainingError("A document must be a list of token ids: whole numbers of at least 0.")
    stream = np.full(int(sizes.sum()), eos, dtype=np.int32)
    is_text = np.ones(len(stream), dtype=bool)
    is_text[np.cumsum(sizes) - sizes] = False
    stream[is_text] = text
    return stream


def _rows(flat: Ints, length: int, fill: int) -> Ints:
    missing = -len(flat) % length
    return np.concatenate([flat, np.full(missing, fill, dtype=np.int32)]).reshape(-1, length)


def batch_rows(n_rows: int, batch_size: int, seed: int, step: int) -> npt.NDArray[np.int64]:
    """Rows of batch number `step`, counted from 0: a function of its arguments and of nothing else.

    Epochs follow each other without a gap, each in an order of its own drawn from (seed, epoch), and a batch
    may hold the end of one and the beginning of the next. To resume, the step is all one must know.
    """
    first = step * batch_size
    positions = np.arange(first, first + batch_size)
    epochs = positions // n_rows
    rows = np.empty(batch_size, dtype=np.int64)
    for epoch in range(int(epochs[0]), int(epochs[-1]) + 1):
        here = epochs == epoch
        rows[here] = _epoch_order(n_rows, seed, epoch)[positions[here] % n_rows]
    return rows


@lru_cache(maxsize=4)
def _epoch_order(n_rows: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(n_rows)


def batch(packed: Packed, batch_size: int, seed: int, step: int) -> Batch:
    """Batch number `step`, counted from 0, of the endless shuffled epochs of `packed`.

    Raises:
        TrainingError: no packed rows, a batch without rows, a seed or step below 0.
    """
    check_instance("packed", packed, Packed, "make it with pack(...)", kind=TrainingError)
    for name, value, least in (("batch_size", batch_size, 1), ("seed", seed, 0), ("step", step, 0)):
        check_whole(name, value, least, kind=TrainingError)
    rows = batch_rows(len(packed), batch_size, seed, step)
    arrays = (packed.tokens_NL, packed.targets_NL, packed.document_NL)
    return Batch(*(torch.from_numpy(array[rows].astype(np.int64)) for array in arrays))


def batches(packed: Packed, batch_size: int, seed: int, start: int = 0) -> Iterator[Batch]:
    """All batches from number `start` on, without end."""
    step = start
    while True:
        yield batch(packed, batch_size, seed, step)
        step += 1
