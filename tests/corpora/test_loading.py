"""`load` takes any source, gives its own files the same splits, and says in one sentence what is none."""

import pytest

from nemo_lab.corpora.loading import load
from nemo_lab.errors import LabError
from tests.corpora.written import write_jsonl


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("nowhere.jsonl", "is no file or folder either; a Hugging Face data set is 'hf:org/name'"),
        ("novles", "Unknown corpus 'novles', did you mean 'novels'"),
        ("kind.png", r"'kind\.png' is of no known kind; readable are \.jsonl"),
        ("empty", "No file under .* can be read"),
    ],
)
def test_unusable_names_are_one_sentence(tmp_path, name, sentence):
    (tmp_path / "kind.png").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    path = tmp_path / name
    with pytest.raises(LabError, match=sentence):
        load(path if path.exists() else name)


def test_bad_split_and_limit():
    with pytest.raises(LabError, match="Unknown split 'valid', did you mean 'validation'"):
        load("novels", split="valid")
    for limit in (0, -1, 1.5, "3", True):
        with pytest.raises(LabError, match=f"limit is {limit!r}; it must be a whole number of at least 1"):
            load("novels", limit=limit)


@pytest.mark.parametrize("name", [None, "", 5, b"novels", ["novels"]])
def test_what_is_no_name_is_one_sentence(name):
    with pytest.raises(LabError, match=r"^name is .*, expected the path of a file or folder"):
        load(name)


@pytest.mark.parametrize("name", ["nope/", "nope.jsonl", "novel", "a" * 5000])
def test_what_is_nowhere_is_one_sentence(name):
    with pytest.raises(LabError, match=r"^Unknown corpus '.* It is no file or folder either"):
        load(name)


@pytest.mark.parametrize("column", [None, 5, ["text"]])
def test_a_column_is_named_by_text(column, tmp_path):
    with pytest.raises(LabError, match=r"text_column is .*, expected the name of a column"):
        load(write_jsonl(tmp_path / "a.jsonl", [{"text": "a"}]), text_column=column)


def test_own_files_have_the_same_splits(tmp_path):
    rows = [{"text": f"document {index} says {index * index} and more"} for index in range(300)]
    rows += rows[:50]
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    parts = {split: load(path, split=split)["text"][:] for split in ("train", "validation", "test")}
    assert sum(map(len, parts.values())) == 350
    assert not set(parts["train"]) & (set(parts["validation"]) | set(parts["test"]))
    assert load(path, split="train", limit=3)["text"][:] == parts["train"][:3]
