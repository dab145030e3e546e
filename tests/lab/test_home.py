"""The lab's folder and its atomic text files."""

import os
from pathlib import Path

import pytest

from nemo_lab.lab.home import LabError, home, one_of, write_text


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

    monkeypatch.setattr("nemo_lab.lab.home.os.replace", broken)
    with pytest.raises(OSError, match="disk"):
        write_text(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in Path(tmp_path).iterdir()] == ["record.json"]


def test_refusal_suggests_and_lists():
    sentence = one_of("scale", "lptop", ["smoke", "laptop"])
    assert sentence == "Unknown scale 'lptop', did you mean 'laptop'; valid: smoke, laptop."
    assert "mean" not in one_of("scale", "zzz", ["smoke"])
    assert one_of("knob", "x", []).endswith("valid: none.")
