"""`load`: one door to every source of text, whatever it is, with the same four columns behind it."""

from pathlib import Path
from typing import TYPE_CHECKING

from nemo_lab.corpora.catalog import CORPORA
from nemo_lab.corpora.splits import SPLITS
from nemo_lab.errors import LabError, check_path, check_whole, one_of

if TYPE_CHECKING:
    from datasets import Dataset


def load(
    name: str | Path, *, split: str | None = None, limit: int | None = None, text_column: str = "text"
) -> "Dataset":
    """Return documents with the columns id, text, source and licence.

    Args:
        name: a packaged corpus (`available()`), the path of a file or folder (JSON, parquet, plain text, WARC,
            also compressed), or a Hugging Face data set `hf:org/name[:config][@split]`.
        split: `train`, `validation` or `test` by near-duplicate group; None: all documents. Applies to every
            source; for a hub id the part after `@` chooses among the data set's own splits first.
        limit: at most so many documents, the first ones.
        text_column: which column or field holds the text; packaged corpora ignore it.

    Raises:
        LabError: no name, an unknown one or split, no such file, no such column, nothing readable in it.
        PackageError: the corpus cannot be had on this machine; the sentence says why.
    """
    check_path("name", name)
    if split is not None and split not in SPLITS:
        raise LabError(one_of("split", split, SPLITS))
    if limit is not None:
        check_whole("limit", limit)
    if not isinstance(text_column, str):
        raise LabError(f"text_column is {text_column!r:.60}, expected the name of a column, such as 'text'.")
    if isinstance(name, str) and name in CORPORA:
        return _first(_packaged(name, split), limit)
    dataset = _foreign(name, text_column, None if split else limit)
    return _first(_part(dataset, split), limit)


def _packaged(name: str, split: str | None) -> "Dataset":
    from nemo_lab.corpora.store import load_corpus

    return load_corpus(name, split)


def _foreign(name: str | Path, text_column: str, limit: int | None) -> "Dataset":
    if str(name).startswith("hf:"):
        from nemo_lab.corpora.hub import read_hub

        return read_hub(str(name), text_column, limit)
    if not _exists(Path(name)):
        sentence = one_of("corpus", str(name), sorted(CORPORA))
        raise LabError(f"{sentence} It is no file or folder either; a Hugging Face data set is 'hf:org/name'.")
    from nemo_lab.corpora.files import read_files

    return read_files(Path(name), text_column, limit)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # no name of a file at all: too long, for example
        return False


def _part(dataset: "Dataset", split: str | None) -> "Dataset":
    """Return one split of documents that are not ours, grouped like ours."""
    if split is None:
        return dataset
    from nemo_lab.corpora.splits import split_documents

    parts = split_documents(dataset["text"])
    return dataset.select([index for index, part in enumerate(parts) if part == split])


def _first(dataset: "Dataset", limit: int | None) -> "Dataset":
    return dataset if limit is None else dataset.select(range(min(limit, len(dataset))))
