"""A ClimbMix has the shares that were asked for, repeats nothing, and is there whole or not at all."""

import json
from pathlib import Path

import datasets
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.mixing import climbmix
from nemo_lab.mixing.climbmix import select_documents, write_climbmix
from nemo_lab.mixing.pools import MixingError

NAMES = ["a", "b", "c"]


def corpus(count=300, seed=0):
    random = np.random.default_rng(seed)
    texts = [f"{i:04d} " + "x" * int(n) for i, n in enumerate(random.integers(20, 200, count))]
    return texts, random.integers(-1, 3, count)


@settings(max_examples=40, deadline=None)
@given(raw=st.lists(st.floats(0.02, 1), min_size=3, max_size=3), seed=st.integers(0, 99), size=st.integers(2000, 6000))
def test_shares_are_met_within_a_document_where_there_is_enough_text(raw, seed, size):
    texts, labels = corpus(900)
    weights = np.array(raw) / sum(raw)
    chosen = select_documents(texts, labels, weights, NAMES, size, seed)
    assert np.abs(chosen.table["bytes"] - weights * size).max() <= 205
    assert len(set(chosen.rows.tolist())) == len(chosen.rows)
    assert (labels[chosen.rows] >= 0).all()


def test_the_default_size_uses_up_the_scarcest_of_the_clusters_that_matter():
    texts = ["x" * 100] * 106
    labels = np.array([0] * 50 + [1] * 50 + [2] * 6)
    chosen = select_documents(texts, labels, [0.5, 0.25, 0.25], NAMES)
    assert chosen.table["documents"].tolist() == [12, 6, 6]
    scarce = select_documents(texts, labels, [0.64, 0.32, 0.04], NAMES)
    assert scarce.table["documents"].tolist() == [50, 25, 3]


def test_a_cluster_that_is_short_gives_all_it_has_and_the_table_says_so():
    texts = ["x" * 100] * 20
    chosen = select_documents(texts, np.array([0] * 18 + [1] * 2), [0.5, 0.5], ["a", "b"], size=2000)
    assert chosen.table["documents"].tolist() == [10, 2]
    assert chosen.table["weight_got"].tolist() == pytest.approx([10 / 12, 2 / 12])


def test_same_seed_same_documents():
    texts, labels = corpus()
    rows = [select_documents(texts, labels, [0.2, 0.3, 0.5], NAMES, seed=s).rows.tolist() for s in (0, 0, 1)]
    assert rows[0] == rows[1] != rows[2]


@pytest.fixture
def written(tmp_path):
    texts, labels = corpus()
    dataset = datasets.Dataset.from_dict(
        {
            "id": [str(i) for i in range(300)],
            "text": texts,
            "source": ["s"] * 300,
            "licence": ["MIT", "CC0-1.0"] * 150,
            "corpus": ["k"] * 300,
        }
    )
    chosen = select_documents(texts, labels, [0.2, 0.3, 0.5], NAMES)
    proxies = pd.DataFrame({"number": [0], "goal": [2.5]})
    folder = write_climbmix(tmp_path / "mix", dataset, labels, chosen, {"goal": "novels", "seed": 3}, proxies)
    return folder, dataset, labels, chosen


def test_what_is_written_opens_and_agrees_with_the_selection(written):
    folder, dataset, labels, chosen = written
    assert sorted(p.name for p in folder.iterdir()) == ["README.md", "data", "mixture.parquet", "proxies.parquet"]
    rows = datasets.Dataset.from_parquet(str(folder / "data" / "train.parquet"), cache_dir=str(folder.parent / "cache"))
    assert rows["text"][:] == [dataset["text"][i] for i in chosen.rows]
    assert rows["cluster"][:] == [NAMES[labels[i]] for i in chosen.rows]
    assert set(rows.column_names) == {"id", "text", "source", "licence", "cluster"}
    assert pd.read_parquet(folder / "mixture.parquet").equals(chosen.table)


def test_the_card_says_what_is_there(written):
    folder, _, _, chosen = written
    text = (folder / "README.md").read_text()
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["configs"][0]["data_files"][0]["path"] == "data/train.parquet"
    assert f"{len(chosen.rows):,} documents" in text
    for words in ("| c | 50.0% |", "- goal: novels", "- seed: 3", "- MIT:", "- CC0-1.0:"):
        assert words in text


def test_the_card_has_the_notes_among_its_limits(written):
    chosen = written[3]
    rows = pd.DataFrame({"text": ["t"]})
    with_notes = climbmix.card(rows, chosen, {}, ["2 of 40 texts are used.", "Beware: ties."])
    assert with_notes.split("## Limits")[1].endswith("- 2 of 40 texts are used.\n\n- Beware: ties.\n")
    assert climbmix.card(rows, chosen, {}) == with_notes.split("\n- 2 of 40")[0]


def test_nothing_is_overwritten_and_nothing_half_written(written, monkeypatch):
    folder, dataset, labels, chosen = written
    with pytest.raises(MixingError, match="exists"):
        write_climbmix(folder, dataset, labels, chosen, {})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(climbmix, "card", fail)
    with pytest.raises(OSError, match="disk full"):
        write_climbmix(folder.parent / "other", dataset, labels, chosen, {})
    assert not [path for path in folder.parent.iterdir() if "other" in path.name]


@pytest.mark.parametrize(
    ("weights", "labels", "words"),
    [([0.5, 0.4], [0, 1], "sum to 0.9"), ([0.5, 0.5], [0], "1 cluster labels"), ([1.0, 0.0], [1, 1], "No document")],
)
def test_mistakes_are_named(weights, labels, words):
    with pytest.raises(MixingError, match=words):
        select_documents(["text", "more"], np.array(labels), weights, ["a", "b"])


def test_the_repository_s_card_says_what_the_stored_run_measured():
    """data_cards/climbmix.md is prose around figures of notebook 03's stored run; they may not drift apart."""
    root = Path(__file__).parents[2]
    record = json.loads((root / "notebooks" / "records" / "03_climb_mixing.laptop.json").read_text())
    card = (root / "data_cards" / "climbmix.md").read_text()
    head = yaml.safe_load(card.split("---\n")[1])
    (split,) = head["dataset_info"]["splits"]
    assert split["num_examples"] == record["values"]["climbmix.documents"]
    assert split["num_bytes"] == record["values"]["climbmix.bytes"]
    assert f"| train | {split['num_examples']:,} | {split['num_bytes']:,} |" in card
    sections = [line[3:] for line in card.splitlines() if line.startswith("## ")]
    assert sections == ["Motivation", "Composition", "Collection", "Processing", "Licence", "Limits"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"texts": "ab"}, "texts is one text, 'ab'"),
        ({"texts": [None, "b"]}, "Text 0 of texts is None"),
        ({"names_K": "x"}, "names_K is one text"),
        ({"labels_N": None}, "2 texts and 1 cluster labels"),
        ({"weights_K": [np.nan]}, "must be finite and not negative"),
        ({"size": np.nan}, "size is nan; it must be a finite number at least 0"),
        ({"size": -1}, "size is -1"),
        ({"seed": None}, "seed is None"),
    ],
)
def test_what_cannot_be_selected_is_one_sentence(change, words):
    good = {"texts": ["a", "b"], "labels_N": np.zeros(2, dtype=int), "weights_K": [1.0], "names_K": ["C1"]}
    with pytest.raises(MixingError, match=words):
        select_documents(**good | change)
