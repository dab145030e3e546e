"""Artifacts: keyed by settings and source, built once, never half-made."""

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.artifacts import artifact, artifact_folder, artifact_key
from nemo_lab.errors import LabError


@pytest.fixture(autouse=True)
def own_home(tmp_path, monkeypatch):
    monkeypatch.setenv("NEMO_LAB_HOME", str(tmp_path))
    return tmp_path


class Builder:
    def __init__(self, text: str = "content") -> None:
        self.calls = 0
        self.text = text

    def __call__(self, folder: Path) -> None:
        self.calls += 1
        (folder / "data.txt").write_text(self.text)


def visible(root: Path) -> list[str]:
    return sorted(path.name for path in (root / "artifacts").iterdir() if path.name != ".locks")


def double(x: int) -> int:
    return 2 * x


def triple(x: int) -> int:
    return 3 * x


def write(function: Callable[[int], int], folder: Path) -> None:
    (folder / "number.txt").write_text(str(function(1)))


def nothing(folder: Path) -> None:
    """A builder of no interest."""


def test_built_once_then_reused(own_home):
    builder = Builder()
    first = artifact("tokenizer", {"size": 8}, builder)
    assert artifact("tokenizer", {"size": 8}, builder) == first
    assert builder.calls == 1
    assert (first / "data.txt").read_text() == "content"
    assert first.parent == own_home / "artifacts"
    assert first.name.startswith("tokenizer-")
    assert json.loads((first / "artifact.json").read_text())["settings"] == {"size": 8}


def test_other_settings_other_folder():
    builder = Builder()
    assert artifact("x", {"size": 8}, builder) != artifact("x", {"size": 9}, builder)
    assert builder.calls == 2


def test_key_ignores_order_of_settings_but_not_type_or_nesting():
    assert artifact_key("x", {"a": 1, "b": [1, 2]}, nothing) == artifact_key("x", {"b": (1, 2), "a": 1}, nothing)
    keys = [artifact_key("x", {"a": value}, nothing) for value in (1, 1.0, "1", True, None, [1], {"1": 1})]
    assert len(set(keys)) == len(keys)


def test_key_follows_the_code_of_the_builder_and_what_it_is_given():
    assert artifact_key("x", {}, partial(write, double)) == artifact_key("x", {}, partial(write, double))
    assert artifact_key("x", {}, partial(write, double)) != artifact_key("x", {}, partial(write, triple))
    with pytest.raises(LabError, match="len"):
        artifact_key("x", {}, len)


def test_folder_is_known_before_anything_is_built(own_home):
    builder = Builder()
    folder = artifact_folder("x", {"size": 8}, builder)
    assert not folder.exists()
    assert artifact("x", {"size": 8}, builder) == folder


def test_dataclass_settings_equal_their_dict():
    @dataclasses.dataclass(frozen=True)
    class Settings:
        size: int = 3
        names: tuple[str, ...] = ("a",)

    assert artifact_key("x", Settings(), nothing) == artifact_key("x", {"size": 3, "names": ["a"]}, nothing)


@pytest.mark.parametrize("value", [math.nan, math.inf, {1: 2}, object(), {"deep": [Path("x")]}, b"x"])
def test_setting_without_json_form_is_refused_by_name(value):
    with pytest.raises(LabError, match=r"settings\.odd"):
        artifact_key("x", {"odd": value}, nothing)


@pytest.mark.parametrize("name", ["", "../x", "A", "a b", ".a", "a/b"])
def test_bad_name_is_refused(name):
    with pytest.raises(LabError, match="lower-case"):
        artifact(name, {}, Builder())


@given(
    st.dictionaries(st.text(max_size=3), st.integers() | st.floats(allow_nan=False, allow_infinity=False), max_size=4)
)
def test_key_depends_on_content_only(settings):
    again = dict(reversed(list(settings.items())))
    assert artifact_key("x", settings, nothing) == artifact_key("x", again, nothing)
    assert artifact_key("x", settings, nothing) != artifact_key("x", settings | {"more": 1}, nothing)


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_failed_build_leaves_nothing_and_can_be_repeated(own_home, error):
    def broken(folder: Path) -> None:
        (folder / "half.txt").write_text("half")
        raise error("stop")

    with pytest.raises(error):
        artifact("x", {}, broken)
    assert visible(own_home) == []
    assert (artifact("x", {}, Builder()) / "data.txt").exists()


def test_builder_that_writes_nothing_is_an_error(own_home):
    with pytest.raises(LabError, match="wrote nothing"):
        artifact("x", {}, lambda folder: None)
    assert visible(own_home) == []


def test_build_may_need_another_artifact():
    def outer(folder: Path) -> None:
        inner = artifact("inner", {}, Builder("inner"))
        (folder / "data.txt").write_text((inner / "data.txt").read_text() + " outer")

    assert (artifact("outer", {}, outer) / "data.txt").read_text() == "inner outer"


def test_threads_build_once():
    builder = Builder()

    def slow(folder: Path) -> None:
        time.sleep(0.1)
        builder(folder)

    threads = [threading.Thread(target=artifact, args=("x", {}, slow)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert builder.calls == 1


CHILD = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from nemo_lab.artifacts import artifact

    def build(folder: Path) -> None:
        with open(sys.argv[1], "a") as log:
            log.write("built\\n")
        (folder / "half.txt").write_text("half")
        Path(sys.argv[1] + ".started").touch()
        time.sleep(float(sys.argv[2]))
        (folder / "whole.txt").write_text("whole")

    print(artifact("slow", {}, build))
    """
)


def child(log: Path, seconds: float) -> subprocess.Popen[str]:
    script = log.with_name("child.py")  # a file, so that the builder has a source
    script.write_text(CHILD)
    return subprocess.Popen([sys.executable, str(script), str(log), str(seconds)], stdout=subprocess.PIPE, text=True)


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 120
    while not path.exists():
        assert time.monotonic() < deadline, f"{path.name} did not appear"
        time.sleep(0.01)


def test_killed_build_is_not_used_and_cleaned_by_any_next_build(own_home, tmp_path):
    log = tmp_path / "log"
    process = child(log, 60)
    wait_for(Path(f"{log}.started"))
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert [name.startswith(".slow-") for name in visible(own_home)] == [True]  # only the temporary
    artifact("other", {}, Builder())
    assert [name.split("-")[0] for name in visible(own_home)] == ["other"]
    again = child(log, 0)
    folder = Path(again.communicate(timeout=300)[0].strip())
    assert (folder / "whole.txt").exists()
    assert log.read_text().count("built") == 2


def test_a_running_build_of_another_process_is_left_alone_and_awaited(own_home, tmp_path):
    log = tmp_path / "log"
    first = child(log, 1.5)
    wait_for(Path(f"{log}.started"))
    artifact("other", {}, Builder())  # its cleaning must spare the running build
    second = child(log, 0)
    folders = {process.communicate(timeout=300)[0].strip() for process in (first, second)}
    assert len(folders) == 1
    assert (Path(folders.pop()) / "whole.txt").exists()
    assert log.read_text().count("built") == 1
