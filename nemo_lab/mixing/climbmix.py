"""ClimbMix of one's own: documents in the shares that a search found, as a dataset with a card.

    nemo-lab climbmix --out my_mix                                    # of the lab's corpora
    nemo-lab climbmix my_texts/ --target my_goal.jsonl --out my_mix   # of a folder, for a goal of one's own

NVIDIA's ClimbMix (arXiv 2504.13161, section 5) is 400 billion tokens of 20 clusters in the shares of one search,
published as token ids. Here the documents stay text with their sources and licences, and everything that led
to the shares lies beside them: clusters, weights and the table of proxies.

No document is repeated. The size is therefore bounded by the cluster that has the least text for its weight;
without a size of its own the set is as large as that allows for the clusters that carry 95 % of the weight,
and a smaller cluster gives all it has. The card says what was asked for and what was got.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from nemo_lab.charsets import utf8_lengths
from nemo_lab.errors import check_number, check_path, check_texts, check_whole
from nemo_lab.mixing.pools import Floats, MixingError, check_mixture
from nemo_lab.mixing.proxies import TABLE

if TYPE_CHECKING:
    from datasets import Dataset

COVERED = 0.95  # share of the weight whose clusters decide the size
COLUMNS = ("id", "text", "source", "licence")


@dataclass(frozen=True)
class Selection:
    """Documents drawn in given shares.

    Attributes:
        rows: indices of the chosen documents, shuffled.
        table: one row a cluster: weight asked for, documents, bytes, weight got.
    """

    rows: npt.NDArray[np.int64]
    table: pd.DataFrame


def select_documents(
    texts: Sequence[str],
    labels_N: npt.NDArray[np.int64],
    weights_K: Sequence[float] | Floats,
    names_K: Sequence[str],
    size: int = 0,
    seed: int = 0,
) -> Selection:
    """Choose documents so that the bytes of the K clusters stand in the given shares.

    Args:
        texts: N documents. labels_N: the cluster of each, -1 for none.
        weights_K: shares of bytes. names_K: names of the clusters.
        size: bytes in all; 0: as many as there are without repeating a document, see the module.
        seed: which documents, and their order.

    Raises:
        MixingError: weights off the simplex, or shapes that do not fit.
    """
    texts, names = (
        check_texts(name, value, kind=MixingError) for name, value in (("texts", texts), ("names_K", names_K))
    )
    check_number("size", size, least=0, kind=MixingError)
    check_whole("seed", seed, 0, kind=MixingError)
    weights_K, labels_N = check_mixture(weights_K, len(names)), np.asarray(labels_N)
    if (len(texts),) != labels_N.shape:
        raise MixingError(f"There are {len(texts)} texts and {labels_N.size} cluster labels; give one for each.")
    bytes_N = np.array(utf8_lengths(texts), dtype=np.int64)
    random = np.random.default_rng(seed)
    has_K = np.array([bytes_N[labels_N == k].sum() for k in range(len(weights_K))])
    wanted_K = weights_K * (size or _largest(weights_K, has_K))
    chosen = [
        _fill(random.permutation(np.flatnonzero(labels_N == k)), bytes_N, wanted) for k, wanted in enumerate(wanted_K)
    ]
    got_K = np.array([bytes_N[rows].sum() for rows in chosen])
    if not got_K.sum():
        raise MixingError("No document was chosen: the clusters that carry weight have no text, or size is tiny.")
    table = pd.DataFrame(
        {
            "cluster": list(names_K),
            "weight": weights_K,
            "documents": [len(rows) for rows in chosen],
            "bytes": got_K,
            "weight_got": got_K / got_K.sum(),
        }
    )
    return Selection(random.permutation(np.concatenate(chosen)), table)


def _largest(weights_K: Floats, has_K: npt.NDArray[np.int64]) -> float:
    """The size at which the scarcest of the clusters that carry 95 % of the weight is used up."""
    order = np.argsort(-weights_K, kind="stable")
    carrying = order[: int(np.searchsorted(np.cumsum(weights_K[order]), COVERED)) + 1]
    return float((has_K[carrying] / weights_K[carrying]).min())


def _fill(rows: npt.NDArray[np.int64], bytes_N: npt.NDArray[np.int64], wanted: float) -> npt.NDArray[np.int64]:
    """The first rows that reach `wanted` bytes, the last one only if that comes nearer."""
    reached = np.cumsum(bytes_N[rows])
    count = int(np.searchsorted(reached, wanted))
    before = reached[count - 1] if count else 0
    nearer = count < len(rows) and reached[count] - wanted < wanted - before
    return rows[: count + nearer]


def write_climbmix(
    folder: Path,
    dataset: Dataset,
    labels_N: npt.NDArray[np.int64],
    chosen: Selection,
    facts: dict[str, Any],
    proxies: pd.DataFrame | None = None,
    notes: Sequence[str] = (),
) -> Path:
    """Write the chosen documents with a card and what led to them; completely or not at all; return the folder.

    `load_dataset(folder)` opens it. `facts` are shown in the card: what was searched, for which target, with which
    seeds and budget. `notes` are sentences about how far to trust the shares.

    Raises:
        MixingError: the folder is there already.
    """
    folder = check_path("folder", folder, kind=MixingError)
    if folder.exists():
        raise MixingError(f"{folder} exists; choose another folder for the new set, or remove it.")
    temporary = folder.with_name(f".partial-{os.getpid()}-{folder.name}")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        (temporary / "data").mkdir(parents=True)
        names = chosen.table["cluster"].tolist()
        rows = _rows(dataset, chosen.rows).assign(cluster=[names[labels_N[i]] for i in chosen.rows])
        rows.to_parquet(temporary / "data" / "train.parquet", index=False)
        chosen.table.to_parquet(temporary / "mixture.parquet", index=False)
        if proxies is not None:
            proxies.to_parquet(temporary / TABLE, index=False)
        (temporary / "README.md").write_text(card(rows, chosen, facts, notes), encoding="utf-8")
        os.replace(temporary, folder)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return folder


def _rows(dataset: Dataset, chosen: npt.NDArray[np.int64]) -> pd.DataFrame:
    kept = dataset.select_columns([name for name in COLUMNS if name in dataset.column_names])
    return kept.select(chosen.tolist()).to_pandas()


def card(rows: pd.DataFrame, chosen: Selection, facts: dict[str, Any], notes: Sequence[str] = ()) -> str:
    """Return the data card: front matter in the hub's form, the clusters, the sources, how it was made, its limits."""
    import yaml

    head = {
        "pretty_name": "ClimbMix of Nemo Lab",
        "license": "other",
        "license_name": "licences-of-its-parts",
        "tags": ["pretraining", "mixture", "climb"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "data/train.parquet"}]}],
    }
    table = chosen.table.sort_values("weight", ascending=False)
    lines = [
        f"| {row.cluster} | {row.weight:.1%} | {row.weight_got:.1%} | {row.documents:,} | {row.bytes:,} |"
        for row in table.itertuples()
    ]
    licences = rows["licence"].value_counts() if "licence" in rows else pd.Series(dtype=int)
    parts = [
        f"---\n{yaml.safe_dump(head, sort_keys=False)}---\n",
        "# ClimbMix of Nemo Lab\n",
        f"{len(rows):,} documents, {int(chosen.table['bytes'].sum()):,} bytes of text, in the shares that CLIMB's "
        "search (arXiv 2504.13161) found for the target below. No document is repeated.\n",
        "| cluster | weight asked for | weight got | documents | bytes |\n| --- | ---: | ---: | ---: | ---: |",
        "\n".join(lines) + "\n",
        "## How it was made\n",
        "\n".join(f"- {name}: {_plain(value)}" for name, value in facts.items()) + "\n",
        "## Licences\n",
        "\n".join(f"- {name}: {count:,} documents" for name, count in licences.items()) + "\n",
        "## Limits\n",
        "The shares are best for one target, one size of model and one token budget, as far as a few dozen small "
        "proxies can tell; `proxies.parquet` holds their scores. Documents keep the licences named in their rows.\n",
        *(f"- {note}\n" for note in notes),
    ]
    return "\n".join(parts)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
