"""The process that does the computer algebra: its limits, and what it answers to anything."""

import json
import resource

import pytest

from nemo_lab.reasoning.questions.checking import MathChecker

PATIENT = 60.0  # seconds, where the answer matters and the machine may be busy


@pytest.fixture(scope="module")
def checker():
    with MathChecker() as made:
        yield made


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="limits of another process are read on Linux only")
def test_the_process_has_its_limits(checker):
    checker.same("x", "y", seconds=PATIENT)
    pid = checker._process.pid
    assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, 0)
    assert resource.prlimit(pid, resource.RLIMIT_AS)[0] == 2 * 2**30


@pytest.mark.parametrize("line", ["", "null", "[1]", '["x"]', '["x","y","z"]', "\0", '{"a":1}'])
def test_the_process_survives_malformed_lines(checker, line):
    checker.same("x", "y", seconds=PATIENT)
    with checker._lock:
        assert checker._ask(line.encode() + b"\n", PATIENT) == b"0"
        assert checker._ask(json.dumps(["x+1", "1+x"]).encode() + b"\n", PATIENT) == b"1"
