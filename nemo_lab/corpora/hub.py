"""Data sets of the Hugging Face hub, streamed: `hf:org/name[:config][@split]`.

Streaming reads only as far as `limit` asks, so the first documents of a data set of terabytes come at once.
A path on disk in the place of `org/name` works as well: a folder of data files, or what `save_to_disk` wrote.
"""

import logging
import re
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_lab.corpora.documents import clean
from nemo_lab.corpora.files import no_column
from nemo_lab.corpora.store import identity, schema
from nemo_lab.errors import LabError, one_of

if TYPE_CHECKING:
    from datasets import Dataset

HUB_LIMIT = 100_000  # documents, where the caller sets no limit: a stream has no end that memory would survive
_NAME = re.compile(r"hf:(?P<name>[^:@]+)(?::(?P<config>[^:@]+))?(?:@(?P<split>[^:@]+))?")
_log = logging.getLogger(__name__)


def read_hub(name: str, text_column: str = "text", limit: int | None = None) -> "Dataset":
    """Return the first documents of a hub data set with the columns id, text, source and licence.

    Raises:
        LabError: a malformed name, no such data set, split or column, or no network.
    """
    import pyarrow as pa
    from datasets import Dataset

    parts = _NAME.fullmatch(name) if isinstance(name, str) else None
    if parts is None:
        raise LabError(f"{name!r} is no data set name; expected 'hf:org/name', 'hf:org/name:config' or '…@split'.")
    stream, licence = _opened(parts["name"], parts["config"], parts["split"] or "train")
    rows, skipped = [], 0
    for number, row in enumerate(islice(stream, limit or HUB_LIMIT)):
        if text_column not in row:
            raise LabError(no_column(text_column, list(row), name))
        text = clean(row[text_column]) if isinstance(row[text_column], str) else ""
        if text:
            own = str(row.get("id") or row.get("url") or identity("hub", text))
            rows.append({"id": own, "text": text, "source": f"{name} row {number}", "licence": licence})
        else:
            skipped += 1
            _log.warning("Skipped %s row %d: no text in %r", name, number, text_column)
    if limit is None and len(rows) + skipped == HUB_LIMIT:
        _log.warning("%s: stopped after %d rows; give a limit to read more.", name, HUB_LIMIT)
    dataset = Dataset(pa.Table.from_pylist(rows, schema=schema()))
    dataset.info.description = f"{len(rows)} documents from {name}, {skipped} rows skipped"
    return dataset


def _opened(name: str, config: str | None, split: str) -> tuple[Iterable[dict[str, Any]], str]:
    """Return the rows of a data set as a stream, and its licence as its card states it."""
    import datasets

    folder = Path(name)
    try:
        if (folder / "state.json").is_file() or (folder / "dataset_dict.json").is_file():
            saved: Any = datasets.load_from_disk(name)
            if isinstance(saved, datasets.DatasetDict):
                if split not in saved:
                    raise LabError(one_of("split", split, list(saved)))
                saved = saved[split]
            return saved, saved.info.license or "not stated"
        stream: Any = datasets.load_dataset(name, config, split=split, streaming=True)
    except LabError:
        raise
    except Exception as error:  # the hub's client raises its own, the network's and the parsers' errors
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise LabError(
            f"The data set {name!r} (split {split!r}) cannot be opened ({type(error).__name__}: {reason}); "
            "check the name, the split and the network, or log in with `hf auth login` if it is gated."
        ) from error
    return stream, stream.info.license or "not stated"
