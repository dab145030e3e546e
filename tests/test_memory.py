"""The peak of memory is a process's own, also of a small child of a large parent."""

import json
import resource
import subprocess
import sys

import pytest

from nemo_lab import memory
from nemo_lab.memory import peak_mb

BALLAST = 300_000_000
CHILD = """
import json, resource
from nemo_lab.memory import peak_mb
before = peak_mb()
held = b"x" * 50_000_000
usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
print(json.dumps({"before": before, "after": peak_mb(), "usage": usage}))
"""
PARENT = f"""
import subprocess, sys
held = b"x" * {BALLAST}
subprocess.run([sys.executable, "-c", {CHILD!r}], check=True)
"""


def printed(code: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere getrusage is all there is")
def test_a_child_does_not_count_what_its_parent_held() -> None:
    found = printed(PARENT)
    assert found["usage"] > BALLAST / 1e6, "if this fails, getrusage has become right and memory.py can go"
    assert found["before"] < 100
    assert 50 < found["after"] - found["before"] + 5 < 70


def test_children_count_where_they_are_asked_for() -> None:
    code = (
        "import json, subprocess, sys; from nemo_lab.memory import peak_mb; "
        f"subprocess.run([sys.executable, '-c', 'x = bytes(1) * {BALLAST}'], check=True); "
        "print(json.dumps({'own': peak_mb(), 'both': peak_mb(children=True)}))"
    )
    found = printed(code)
    assert found["own"] < 100
    assert 300 < found["both"] < 400


@pytest.mark.parametrize("text", [None, "Name:\tpython\nVmRSS:\t 10 kB\n"], ids=["no file", "no such line"])
def test_without_proc_the_system_is_asked(text, tmp_path, monkeypatch) -> None:
    if text:
        (tmp_path / "status").write_text(text)
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "status")
    monkeypatch.setattr(sys, "platform", "linux")
    assert peak_mb() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def test_bytes_on_macos(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(memory, "_STATUS", tmp_path / "absent")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert peak_mb() == resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
