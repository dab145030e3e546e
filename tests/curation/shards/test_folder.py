"""Whose folder it is: held by one process, gone on with by the same command alone."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest

from nemo_lab.curation.shards import folder
from nemo_lab.errors import LabError

STATE = {"inputs": [["a", 1, 2]], "options": {"shard": 10, "languages": ["en"]}, "good": "0"}


def test_the_same_state_goes_on_and_what_was_asked_is_written_down(tmp_path: Path) -> None:
    for _ in range(2):
        with folder.held(tmp_path / "out", STATE, "curate") as work:
            assert work == tmp_path / "out" / ".work"
            assert json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8")) == STATE
            (work / "part-00000.parquet").touch()
    assert (work / "part-00000.parquet").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"options": STATE["options"] | {"shard": 11}}, r"\(shard was 10 and is 11\)"),
        ({"options": STATE["options"] | {"new": True}}, r"\(new was None and is True\)"),
        ({"inputs": []}, r"\(inputs\)"),
        ({"command": "extract", "inputs": []}, r"\(of another command\)"),
        (
            {"good": "1", "options": STATE["options"] | {"languages": []}},
            r"\(good, languages was \['en'\] and is \[\]\)",
        ),
    ],
)
def test_another_state_is_refused_by_what_differs(tmp_path: Path, change: dict, words: str) -> None:
    with folder.held(tmp_path / "out", STATE, "curate") as work:
        (work / "part-00000.parquet").touch()
    with (
        pytest.raises(LabError, match=f"other inputs or options {words}"),
        folder.held(tmp_path / "out", STATE | change, "curate"),
    ):
        raise AssertionError("held")
    assert json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8")) == STATE


def test_a_run_that_wrote_nothing_does_not_block_the_folder(tmp_path: Path) -> None:
    """As one does whose input turned out to be wrong: the corrected command must not need another folder."""
    with pytest.raises(LabError, match="no page"), folder.held(tmp_path / "out", STATE, "curate"):
        raise LabError("There is no page in it.")
    other = STATE | {"inputs": []}
    with folder.held(tmp_path / "out", other, "curate"):
        assert json.loads((tmp_path / "out" / "run.json").read_text(encoding="utf-8")) == other


@pytest.mark.parametrize("foreign", ["", "[]", "{", '{"options": 3}', "null"])
def test_a_foreign_run_json_is_refused(tmp_path: Path, foreign: str) -> None:
    (tmp_path / "run.json").write_text(foreign, encoding="utf-8")
    with pytest.raises(LabError, match="other inputs or options"), folder.held(tmp_path, STATE, "curate"):
        raise AssertionError("held")
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_folders_of_other_people_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    with pytest.raises(LabError, match="not empty and no result of curate"), folder.held(tmp_path, STATE, "curate"):
        raise AssertionError("held")
    with pytest.raises(LabError, match="is a file"), folder.held(tmp_path / "mine.txt", STATE, "curate"):
        raise AssertionError("held")
    with (
        pytest.raises(LabError, match="cannot be written to"),
        folder.held(tmp_path / "mine.txt" / "b", STATE, "curate"),
    ):
        raise AssertionError("held")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_nothing_is_written_before_the_lock_is_held(tmp_path: Path) -> None:
    """A second run that has got past the first look must not write down another state."""
    with folder.held(tmp_path / "out", STATE, "curate"):
        (tmp_path / "out" / "run.json").unlink()  # as it is before the first run has written it
        with pytest.raises(LabError, match="Another run writes to"), folder.held(tmp_path / "out", {}, "curate"):
            raise AssertionError("held")
        assert not (tmp_path / "out" / "run.json").exists()


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_hold_and_die, args=(tmp_path / "out",))
    process.start()
    process.join(120)
    with folder.held(tmp_path / "out", STATE, "curate") as work:
        assert (work / "died").exists()


def _hold_and_die(out: Path) -> None:
    with folder.held(out, STATE, "curate") as work:
        (work / "died").touch()
        os._exit(1)
