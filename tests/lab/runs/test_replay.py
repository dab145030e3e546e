"""Replay: equal numbers stamp, other numbers are listed and stamp nothing, and neither can be had by cheating."""

import json
import shutil
import subprocess
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from nemo_lab.errors import LabError
from nemo_lab.lab.runs import replay as module
from nemo_lab.lab.runs.find import RECORD
from nemo_lab.lab.runs.notebooks import NOTEBOOK
from nemo_lab.lab.runs.replay import differences, replay
from nemo_lab.lab.runs.verify import CHECKED
from nemo_lab.sources import PACKAGE

NAME = "00_start_here"
CELLS = [
    ("parameters", 'scale: str = ""  # smoke, laptop\nseed: int = 0  # of everything'),
    (None, f'import nemo_lab.lab\nlab = nemo_lab.lab.start("{NAME}", scale=scale, seed=seed)'),
    (None, 'from nemo_lab.lab.scales import rank\nlab.value("rank", rank("laptop"))'),
    (None, "nemo_lab.lab.show_source(rank)"),
    (CHECKED, 'print(rank("gpu"))'),
    (CHECKED, "lab.finish()"),
]


def written(path: Path, cells: list[tuple[str | None, str]]) -> Path:
    notebook = new_notebook()
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, (tag, source) in enumerate(cells):
        cell = new_code_cell(source, id=f"cell{number}", metadata={"tags": [tag]} if tag else {})
        notebook.cells.append(cell)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def git(root: Path, *words: str) -> None:
    own = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *own, *words], cwd=root, check=True, capture_output=True)


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A clone of the package with one small notebook, its outputs stored, committed as `good`."""
    root = tmp_path_factory.mktemp("first") / "clone"
    shutil.copytree(PACKAGE, root / "nemo_lab", ignore=shutil.ignore_patterns("__pycache__"))
    written(root / "notebooks" / f"{NAME}.ipynb", CELLS)
    module._python(root, module._COMMAND, ["run", NAME, "--scale", "smoke", "--write", "--out", str(root / "runs")])
    shutil.rmtree(root / "runs")
    git(root, "init", "--quiet")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message", "good")
    git(root, "tag", "good")
    return root


@pytest.fixture
def clone(first, tmp_path, monkeypatch):
    """The clone, free to be changed, entered, and its package the one whose hash is asked for."""
    root = tmp_path / "clone"
    shutil.copytree(first, root)
    monkeypatch.chdir(root)

    def hashed(path: Path) -> str:
        return json.loads(module._python(root, module._HASH, [path.stem]).stdout)[path.stem]

    monkeypatch.setattr(module, "code_hash", hashed)
    return root


def edit(root: Path, old: str, new: str) -> None:
    path = root / "nemo_lab/lab/scales.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


BODY = "return SCALES.index(choose_scale(scale))"


def test_a_refactoring_is_stamped_with_a_note_and_its_listings_renewed(clone):
    path = clone / "notebooks" / f"{NAME}.ipynb"
    edit(clone, BODY, "wanted = choose_scale(scale)\n    return SCALES.index(wanted)")
    found = replay([path], "good")[NAME]
    assert found.differences == []
    assert found.stamped
    notebook = nbformat.read(path, as_version=4)
    record = json.loads((path.parent / "records" / f"{NAME}.smoke.json").read_text())
    assert notebook.metadata.nemo_lab.code_hash == record["code"]["hash"] == module.code_hash(path)
    assert notebook.metadata.nemo_lab.replayed == record["code"]["replayed"]
    assert record["code"]["replayed"]["scale"] == "smoke"
    assert "wanted = choose_scale(scale)" in json.dumps(notebook.cells[3].outputs)


def test_a_changed_number_is_listed_and_nothing_is_stamped(clone):
    path = clone / "notebooks" / f"{NAME}.ipynb"
    before = path.read_bytes()
    edit(clone, BODY, "return 1 + SCALES.index(choose_scale(scale))")
    found = replay([path], "good")[NAME]
    assert not found.stamped
    assert found.differences == ["value rank is 2.0, before 1.0", "cell cell4 shows 3\n, before 2\n"]
    assert path.read_bytes() == before


def test_outputs_changed_by_hand_and_broken_code_are_not_stamped(clone):
    path = clone / "notebooks" / f"{NAME}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[4].outputs[0].text = "7\n"
    nbformat.write(notebook, path)
    edit(clone, BODY, "raise ValueError(scale)")
    said = "\n".join(replay([path], "good")[NAME].differences)
    assert "cell cell4 stores other outputs than before, by hand" in said
    assert "the run now failed: ValueError" in said


def test_what_was_stale_before_is_refused(clone):
    path = clone / "notebooks" / f"{NAME}.ipynb"
    edit(clone, BODY, "return 1 + SCALES.index(choose_scale(scale))")
    git(clone, "commit", "--quiet", "--all", "--message", "stale")
    with pytest.raises(LabError, match=f"Outputs of {NAME} were stale at HEAD already"):
        replay([path], "HEAD")


def test_an_unknown_revision_or_notebook_is_one_sentence(clone):
    with pytest.raises(LabError, match="no revision 'nope'"):
        replay([clone / "notebooks" / f"{NAME}.ipynb"], "nope")
    with pytest.raises(LabError, match="no notebook '11_other'"):
        replay([clone / "notebooks" / "11_other.ipynb"], "good")


# --- what counts as a difference, on runs made by hand


def a_run(folder: Path, values: dict[str, float], claims=(), shown="1\n", status="ok", extra=()) -> Path:
    notebook = new_notebook()
    for name, text in [("a", shown), *extra]:
        cell = new_code_cell("f()", id=name, metadata={"tags": [CHECKED]})
        cell.outputs = [new_output("stream", name="stdout", text=text)]
        notebook.cells.append(cell)
    folder.mkdir()
    nbformat.write(notebook, folder / NOTEBOOK)
    record = {"notebook": NAME, "values": values, "claims": list(claims), "status": status, "error": "E"}
    (folder / RECORD).write_text(json.dumps(record))
    return folder


def claim(samples, control=None, verdict="reproduced"):
    return {"id": "a.b", "samples": samples, "control": control and {"samples": control}, "verdict": verdict}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"values": {"x": 1.0000000001}}, "value x is 1.0000000001, before 1.0"),
        ({"values": {}}, "value x is nothing, before 1.0"),
        ({"values": {"x": 1.0, "y": 2.0}}, "value y is 2.0, before nothing"),
        ({"claims": [claim([1.0, 3.0], [0.0])]}, "claim a.b is"),
        ({"claims": [claim([1.0, 2.0], [0.5])]}, "claim a.b is"),
        ({"claims": [claim([1.0, 2.0], [0.0], "smaller")]}, "claim a.b is"),
        ({"claims": []}, "claim a.b is nothing"),
        ({"shown": "2\n"}, "cell a shows 2"),
        ({"extra": [("b", "3\n")]}, "cell b shows 3"),
        ({"status": "failed"}, "the run now failed: E"),
    ],
)
def test_each_kind_of_difference_is_told(tmp_path, change, words):
    usual = {"values": {"x": 1.0}, "claims": [claim([1.0, 2.0], [0.0])]}
    before = a_run(tmp_path / "before", **usual)
    same = a_run(tmp_path / "same", **usual)
    after = a_run(tmp_path / "after", **(usual | change))
    stored = a_run(tmp_path / "stored", {}, extra=[("b", "4\n")])
    assert differences(before, same, stored / NOTEBOOK) == []
    [line] = differences(before, after, stored / NOTEBOOK)
    assert line.startswith(words)


def test_a_notebook_that_shows_records_is_not_stamped_where_they_changed(tmp_path):
    shows = [(None, "from nemo_lab.lab.runs.find import find_runs\nfind_runs(None)")]
    old, new = (written(tmp_path / side / f"{NAME}.ipynb", shows) for side in ("old", "new"))
    record = {"schema": 1, "notebook": "05_hybrid_architecture", "scale": "laptop", "seed": 0, "claims": []}
    for path, claims in ((old, []), (new, []), (new, [{"id": "a"}])):
        (path.parent / "records").mkdir(exist_ok=True)
        text = json.dumps(record | {"claims": claims})
        (path.parent / "records" / "05_hybrid_architecture.laptop.json").write_text(text)
        changed = ["the records of other notebooks, which it shows, have changed; run it with --write"]
        assert module._other_records(new, old) == (changed if claims or path is old else [])
    for path in (old, new):
        written(path, [(None, "1")])
    assert module._other_records(new, old) == [], "it shows its own alone"


def test_numbers_of_the_clock_are_excepted_where_declared(tmp_path, monkeypatch):
    before = a_run(tmp_path / "before", {"x": 1.0, "speed.a": 1.0})
    after = a_run(tmp_path / "after", {"x": 1.0, "speed.a": 2.0})
    assert len(differences(before, after, before / NOTEBOOK)) == 1
    monkeypatch.setattr(module, "TIMED", {NAME: ("value speed.*",)})
    assert differences(before, after, before / NOTEBOOK) == []
