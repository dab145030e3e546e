"""Data sets of the hub: streamed, opened from disk, and refused in one sentence."""

import datasets
import pytest

from nemo_lab.corpora.loading import load
from nemo_lab.errors import LabError
from tests.corpora.written import COLUMNS, write_jsonl


def test_hub_data_set_on_disk_streams(tmp_path):
    write_jsonl(tmp_path / "train.jsonl", [{"text": f"row {n}", "url": f"u{n}"} for n in range(20)])
    write_jsonl(tmp_path / "test.jsonl", [{"text": "held out", "url": "t"}, {"text": "", "url": "e"}])
    found = load(f"hf:{tmp_path}", limit=5)
    assert found.column_names == COLUMNS
    assert found["text"][:] == [f"row {n}" for n in range(5)]
    assert found["id"][0] == "u0"
    other = load(f"hf:{tmp_path}@test")
    assert other["text"][:] == ["held out"]
    assert "1 rows skipped" in other.info.description
    with pytest.raises(LabError, match="has no column 'body'; its columns are"):
        load(f"hf:{tmp_path}", text_column="body")


def test_hub_data_set_that_was_saved_to_disk(tmp_path):
    rows = datasets.Dataset.from_dict({"text": ["a", "b"]})
    datasets.DatasetDict({"train": rows}).save_to_disk(tmp_path / "saved")
    assert load(f"hf:{tmp_path / 'saved'}")["text"][:] == ["a", "b"]
    with pytest.raises(LabError, match="Unknown split 'dev'; valid: train"):
        load(f"hf:{tmp_path / 'saved'}@dev")


def test_hub_errors_are_one_sentence():
    with pytest.raises(LabError, match="is no data set name"):
        load("hf:a:b:c")
    with pytest.raises(LabError, match=r"'no-such-org/no-such-set' .* cannot be opened") as error:
        load("hf:no-such-org/no-such-set")
    assert "\n" not in str(error.value)
