"""Kept libraries: made once, as by hand; a killed one goes on; what old code left is swept, and only that."""

import json
import os
import subprocess
import sys
import textwrap
from functools import partial

import pytest
import tiny_puzzle

from nemo_lab.artifacts import unless_building
from nemo_lab.compression.puzzle import parent, scores
from nemo_lab.errors import LabError
from nemo_lab.studies.puzzle_nas import keeping, runs

SETTINGS = {"seed": 0}


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A lab's folder of this test alone."""
    monkeypatch.setenv("NEMO_LAB_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def two_files(work, made, dies=False):
    """A job of two files that may be killed after the first; `made` gets what it did not find."""
    for name in ("one", "two"):
        if not (work / name).exists():
            made.append(name)
            (work / name).write_text(name)
        if dies:
            raise KeyboardInterrupt


def kept(settings=SETTINGS):
    """What the job made that it did not find, and the folder."""
    made = []
    return made, keeping.kept("numbers", settings, partial(two_files, made=made))


def killed(settings=SETTINGS, name="numbers"):
    with pytest.raises(KeyboardInterrupt):
        keeping.kept(name, settings, partial(two_files, made=[], dies=True))


def left(home):
    return sorted(folder.name for folder in (home / "unfinished").iterdir())


def test_what_is_kept_is_made_once_and_goes_on_after_a_kill(home):
    killed()
    assert len(left(home)) == 1
    made, folder = kept()
    assert made == ["two"]
    assert kept() == ([], folder)
    assert sorted(file.name for file in folder.iterdir()) == ["artifact.json", "one", "two"]
    assert left(home) == []


def test_unfinished_work_goes_by_the_name_of_its_artifact(home):
    """Its lock tells whether a process is at it, so the names must be the same."""
    killed()
    (unfinished,) = left(home)
    assert kept()[1].name == unfinished


def test_what_other_code_left_is_swept_and_nothing_else(home):
    killed({"seed": 7})  # the same code with other settings: a run may come back to it
    killed(name="numbers-big")  # another name
    before = left(home)
    assert len(before) == 2
    other, older = (home / "unfinished" / f"numbers-{digit * 16}" for digit in "01")
    for folder in (other, older):
        folder.mkdir()
        (folder / "one").write_text("1")
    (other / keeping.VERSION).write_text("other code")  # `older` has no version: it is of an earlier lab
    kept()
    assert left(home) == before
    assert kept({"seed": 7})[0] == ["two"]


def test_all_code_behind_the_job_counts(home):
    """Two jobs that differ only in what they call: one does not go on with what the other left, and sweeps it."""

    def calls(helper):
        return lambda work: two_files(work, helper())

    def dies():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keeping.kept("numbers", SETTINGS, calls(dies))
    (before,) = left(home)
    folder = keeping.kept("numbers", SETTINGS, calls(list))
    assert folder.name != before
    assert left(home) == []


def test_what_another_process_is_at_stays(home):
    """A process with other code builds: its folder is not swept under its hands; once it is dead it is."""
    program = """
        import sys, time
        from nemo_lab.studies.puzzle_nas import keeping as puzzle_keeping
        def job(work):
            (work / "one").write_text("1")
            print("begun", flush=True)
            time.sleep(100)
        puzzle_keeping.kept("numbers", {"seed": 0}, job)
    """
    file = home.parent / "program.py"
    file.write_text(textwrap.dedent(program))
    with subprocess.Popen(
        [sys.executable, file], stdout=subprocess.PIPE, text=True, env=os.environ | {"NEMO_LAB_PROGRESS": "0"}
    ) as other:
        try:
            assert "begun" in other.stdout.readline()
            (busy,) = left(home)
            kept({"seed": 1})
            assert left(home) == [busy]
            assert (home / "unfinished" / busy / "one").exists()
        finally:
            other.kill()
    with unless_building(busy) as free:
        assert free
    kept({"seed": 2})
    assert left(home) == []


def test_kept_libraries_are_those_of_the_jobs(home, puzzle_lab, monkeypatch):
    folder, texts, by_hand = puzzle_lab
    monkeypatch.setattr(keeping, "run_many", lambda jobs, desc: [job() for job in jobs])
    keep = partial(keeping.keep_libraries, folder / "llama", tiny_puzzle.Settings())
    kept = keep({0: texts, 1: texts}, ["made up"], [1, 2])
    assert scores.read_scores(kept.layer_folders[0]) == scores.read_scores(by_hand)
    assert kept.layer_folders[0][0] == kept.layer_folders[0][2] != kept.layer_folders[0][1]
    assert set(kept.layer_folders[0]).isdisjoint(kept.layer_folders[1])  # a repeat has its own
    assert (kept.records[0] / runs.RECORD).is_file()
    assert kept.records[0] != kept.records[1]
    assert {one.name for one in (kept.trials / "start").glob("scores-*")} == {"scores-001.json", "scores-002.json"}
    monkeypatch.setattr(parent, "load_parent", None)  # nothing is made again
    assert keep({0: texts, 1: texts}, ["made up"], [1, 2]) == kept
    label = json.loads((kept.trials / "artifact.json").read_text())
    assert label["settings"]["job"] == {"layers": [1, 2]}
    assert label["settings"]["layers"] == 3


@pytest.mark.parametrize(("repeats", "parts"), [(0, 2), (1, 0)])
def test_nothing_to_keep(repeats, parts, tmp_path):
    texts = {n: tiny_puzzle.texts() for n in range(repeats)}
    with pytest.raises(LabError, match="give the text of one repeat and one part"):
        keeping.keep_libraries(tmp_path, tiny_puzzle.Settings(), texts, [], [0], parts)
