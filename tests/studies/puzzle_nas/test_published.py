"""The reader of the published library, on a folder laid out like it, and on the real one where a variable names it."""

import json
import os
from pathlib import Path

import pytest

from nemo_lab.compression.puzzle.search import solve, total
from nemo_lab.errors import LabError
from nemo_lab.studies.puzzle_nas import published


def write(folder, layers):
    file = folder / published.FILE
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(layers))


def option(kl, memory):
    return {"metrics": {"kl_div": kl, "lm_loss": 1.6}, "stats": {"memory_mib": memory, "runtime_ms": 10 * memory}}


def test_read_and_solve(tmp_path):
    write(tmp_path, {f"layer_{n}": {"full": option(0, 10), "half": option(n + 1, 5)} for n in range(4)})
    slots = published.read_published(tmp_path)
    limits = published.Optimum("85 %", 0, share=0.85).limits(slots)
    assert limits == {"memory": 34.0, "runtime": 340.0}
    assert solve(slots, "kl", limits) == ["half", "half", "full", "full"]
    assert published.Optimum("memory", 0, memory=9).limits(slots) == {"memory": 9}


def test_other_folders(tmp_path):
    with pytest.raises(LabError, match="clone of NVlabs/puzzle"):
        published.read_published(tmp_path)
    write(tmp_path, {"layer_0": {"full": {"metrics": {}}}})
    with pytest.raises(LabError, match="not laid out"):
        published.read_published(tmp_path)


@pytest.mark.skipif(not os.environ.get("PUZZLE_LIBRARY"), reason="PUZZLE_LIBRARY names no clone of NVlabs/puzzle")
@pytest.mark.parametrize("optimum", published.OPTIMA, ids=lambda optimum: optimum.what)
def test_published_optima(optimum):
    slots = published.read_published(Path(os.environ["PUZZLE_LIBRARY"]))
    choice = solve(slots, "kl", optimum.limits(slots))
    assert total(slots, choice, "kl") == pytest.approx(optimum.kl, abs=1e-3)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"a": {}}', '{"a": {"x": {"stats": {}}}}'])
def test_files_that_are_no_library(tmp_path, text):
    file = tmp_path / published.FILE
    file.parent.mkdir(parents=True)
    file.write_text(text)
    with pytest.raises(LabError, match="not laid out"):
        published.read_published(str(tmp_path))
