"""The lab's folder, and files that are whole or not there."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.files import home, read_tensors, replaced, write_arrays, write_tensors, write_text


def test_variable_decides_and_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.setenv("NEMO_LAB_HOME", str(tmp_path / "a" / "b"))
    assert home() == tmp_path / "a" / "b"
    assert home().is_dir()


def test_tilde_is_the_users_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NEMO_LAB_HOME", "~/lab")
    assert home() == tmp_path / "lab"


@pytest.mark.parametrize("value", [None, "", "  "])
def test_default_is_the_platforms_cache(value, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    if value is None:
        monkeypatch.delenv("NEMO_LAB_HOME", raising=False)
    else:
        monkeypatch.setenv("NEMO_LAB_HOME", value)
    assert home().name == "nemo-lab"
    assert tmp_path in home().parents


def test_unusable_folder_is_one_sentence(tmp_path, monkeypatch):
    blocker = tmp_path / "file"
    blocker.write_text("x")
    monkeypatch.setenv("NEMO_LAB_HOME", str(blocker / "lab"))
    with pytest.raises(LabError, match="NEMO_LAB_HOME"):
        home()


def test_write_text_replaces_and_leaves_nothing_else(tmp_path):
    target = tmp_path / "deep" / "record.json"
    write_text(target, "old")
    write_text(target, "new ü")
    assert target.read_text(encoding="utf-8") == "new ü"
    assert os.listdir(target.parent) == ["record.json"]


def test_failed_write_keeps_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / "record.json"
    write_text(target, "old")

    def broken(source: object, destination: object) -> None:
        raise OSError("disk")

    monkeypatch.setattr("nemo_lab.files.os.replace", broken)
    with pytest.raises(OSError, match="disk"):
        write_text(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in Path(tmp_path).iterdir()] == ["record.json"]


# --- replaced


def test_a_file_appears_when_the_block_ends_and_with_all_of_it(tmp_path):
    target = tmp_path / "deep" / "table.parquet"
    with replaced(target) as temporary:
        temporary.write_bytes(b"half")
        assert not target.exists()
        assert temporary.parent == target.parent  # a rename between disks would be a copy
        temporary.write_bytes(b"all of it")
    assert target.read_bytes() == b"all of it"
    assert os.listdir(target.parent) == ["table.parquet"]


@pytest.mark.parametrize("error", [ValueError("stop"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_block_that_raises_leaves_the_old_file_and_no_other(tmp_path, error):
    target = tmp_path / "table.parquet"
    target.write_bytes(b"old")

    def stop() -> None:
        with replaced(target) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(type(error)):
        stop()
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["table.parquet"]


def test_a_block_that_wrote_nothing_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), replaced(tmp_path / "file"):
        pass
    assert os.listdir(tmp_path) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    with replaced(tmp_path / "file") as one, replaced(tmp_path / "file") as other:
        one.write_text("one")
        other.write_text("other")
    assert (tmp_path / "file").read_text() == "one"  # the outer block ends last


def test_content_is_on_the_disk_before_the_name_and_the_name_behind_it(tmp_path, monkeypatch):
    done = []
    monkeypatch.setattr("nemo_lab.files.os.fsync", lambda number: done.append(os.path.isdir(f"/dev/fd/{number}")))
    real = os.replace
    monkeypatch.setattr("nemo_lab.files.os.replace", lambda *names: (done.append("renamed"), real(*names)))
    write_text(tmp_path / "file", "x")
    assert done == [False, "renamed", True]  # flushed: a file, then a folder


def test_a_killed_writer_leaves_the_old_file_and_a_hidden_one(tmp_path):
    target = tmp_path / "file"
    target.write_text("old")
    code = (
        "import os, signal, sys; from pathlib import Path; from nemo_lab.files import replaced\n"
        "with replaced(Path(sys.argv[1])) as t: t.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    subprocess.run([sys.executable, "-c", code, str(target)], check=False, timeout=60)
    (left,) = [name for name in os.listdir(tmp_path) if name != "file"]
    assert target.read_text() == "old"
    assert left.startswith(".file.")
    assert left.endswith(".tmp")


# --- tensors


def test_tensors_and_arrays_come_back_tied_ones_twice(tmp_path):
    weight = torch.arange(6.0).view(2, 3)
    write_tensors(tmp_path / "deep" / "model.safetensors", {"a": weight, "b": weight, "c": weight.T})
    found = read_tensors(tmp_path / "deep" / "model.safetensors")
    assert all(torch.equal(found[name], weight) for name in "ab")
    assert torch.equal(found["c"], weight.T)
    write_arrays(tmp_path / "rows", {"rows": np.arange(6, dtype=np.int32).reshape(2, 3).T})
    assert read_tensors(tmp_path / "rows")["rows"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_a_missing_and_a_foreign_file_are_one_sentence(tmp_path):
    with pytest.raises(LabError, match="absent does not exist"):
        read_tensors(tmp_path / "absent")
    (tmp_path / "foreign").write_bytes(b"\x80\x04pickled")
    with pytest.raises(LabError, match="foreign is damaged or no safetensors file"):
        read_tensors(tmp_path / "foreign")


def test_the_ground_is_light():
    """Every command imports these modules, also those that need neither torch nor tables."""
    code = "import sys, nemo_lab.errors, nemo_lab.files; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"torch", "numpy", "pandas", "safetensors"} & set(done.stdout.split())
