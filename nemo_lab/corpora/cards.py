"""Measure the corpora and write what was measured into their data cards.

    python -m nemo_lab.corpora.cards            # rewrite the measured parts of every card in data_cards/
    python -m nemo_lab.corpora.cards novels     # of one

A card is prose by a person around figures by this program: the front matter's fields below the marker line,
in the form the Hugging Face hub reads (`dataset_info`), and the table between the two comments in the text.
Nobody types a count. A test measures again and compares, so a card cannot say what the data do not.
"""

import hashlib
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nemo_lab
from nemo_lab.charsets import utf8_bytes
from nemo_lab.corpora import mixtures, store, tokenization
from nemo_lab.corpora.catalog import CORPORA, DEFAULT_CORPORA
from nemo_lab.corpora.packages import fetch
from nemo_lab.corpora.splits import SPLITS
from nemo_lab.errors import LabError, one_of
from nemo_lab.files import write_text

if TYPE_CHECKING:
    from datasets import Dataset

MIXTURE = "training-mixture"
MARKER = "# measured by `python -m nemo_lab.corpora.cards`; not to be edited by hand"
_TABLE = re.compile(r"(<!-- measured -->\n).*?(<!-- end of measured -->)", re.DOTALL)
_HEAD = re.compile(rf"\A(---\n.*?^{re.escape(MARKER)}\n).*?^---\n", re.DOTALL | re.MULTILINE)


def card_path(name: str) -> Path:
    """Return where a corpus's card lies in the repository.

    Raises:
        LabError: the package is installed without its repository, which holds the cards.
    """
    folder = Path(nemo_lab.__file__).parents[1] / "data_cards"
    if not folder.is_dir():
        raise LabError("The data cards lie in the repository, which is not here; clone it and `pip install -e .`.")
    return folder / f"{name}.md"


def names() -> list[str]:
    """Return every name that has a card: the corpora and the training mixture."""
    return [*CORPORA, MIXTURE]


def measure(name: str) -> dict[str, Any]:
    """Return the measured fields of a card, from the data as they are loaded."""
    if name == MIXTURE:
        return _measured_mixture()
    if name not in list(CORPORA):  # a list as a name has no hash
        raise LabError(one_of("card", name, names()))
    parts = {split: store.load_corpus(name, split) for split in SPLITS}
    counted = store.facts(name)
    return {
        "dataset_info": _dataset_info(parts, store.COLUMNS),
        "packages": {package: fetch.manifest()[package].version for package in CORPORA[name].packages},
        "exact_copies_dropped": counted["exact_copies"],
        "near_duplicate_groups": counted["groups"],
        "sha256": content_hash(parts.values()),
    }


def _measured_mixture() -> dict[str, Any]:
    parts = {split: mixtures.mixture(DEFAULT_CORPORA, split) for split in SPLITS}
    made = tokenization.tokenizer(corpora=DEFAULT_CORPORA)
    texts = parts["validation"]["text"]
    tokens = sum(map(len, tokenization.encode_documents(texts, made)))
    return {
        "dataset_info": _dataset_info(parts, mixtures.COLUMNS),
        "sha256": content_hash(parts.values()),
        "tokenizer": {
            "vocab_size": made.get_vocab_size(),
            "sha256": hashlib.sha256(made.to_str().encode("utf-8")).hexdigest(),
            "validation_bytes_per_token": round(utf8_bytes(texts) / tokens, 3),
        },
    }


def content_hash(parts: Iterable["Dataset"]) -> str:
    """Return the sha256 of all ids and texts in order, each ended by a zero byte."""
    digest = hashlib.sha256()
    for part in parts:
        for name, text in zip(part["id"], part["text"], strict=True):
            digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()


def _dataset_info(parts: dict[str, "Dataset"], columns: Sequence[str]) -> dict[str, Any]:
    """Return the hub's `dataset_info`; `num_bytes` counts the UTF-8 bytes of the column `text`."""
    return {
        "features": [{"name": column, "dtype": "string"} for column in columns],
        "splits": [
            {"name": split, "num_bytes": utf8_bytes(part["text"]), "num_examples": len(part)}
            for split, part in parts.items()
        ],
    }


def render(card: str, measured: dict[str, Any]) -> str:
    """Return the card with its measured parts replaced.

    Raises:
        LabError: the card lacks the marker line in its front matter or the two comments in its text.
    """
    import yaml

    if not _HEAD.search(card) or not _TABLE.search(card):
        raise LabError(f"The card lacks the line {MARKER!r} in its front matter or the comments around its table.")
    fields = yaml.safe_dump(measured, sort_keys=False, allow_unicode=True, width=110)
    card = _HEAD.sub(lambda match: f"{match[1]}{fields}---\n", card)
    return _TABLE.sub(lambda match: f"{match[1]}{table(measured)}\n{match[2]}", card)


def table(measured: dict[str, Any]) -> str:
    """Return the split table of a card's text."""
    rows = ["| split | documents | bytes of text |", "| --- | ---: | ---: |"]
    splits = measured["dataset_info"]["splits"]
    rows += [f"| {row['name']} | {row['num_examples']:,} | {row['num_bytes']:,} |" for row in splits]
    documents = sum(row["num_examples"] for row in splits)
    return "\n".join([*rows, f"| all | {documents:,} | {sum(row['num_bytes'] for row in splits):,} |"])


def main(chosen: Sequence[str]) -> None:
    """Measure and rewrite the named cards, or all."""
    for name in chosen or names():
        measured = measure(name)
        path = card_path(name)
        write_text(path, render(path.read_text(encoding="utf-8"), measured))
        sys.stdout.write(f"{name}: {json.dumps(measured['dataset_info']['splits'])}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
