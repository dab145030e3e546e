"""The process in which formulas are compared: started by `checking.MathChecker` as a script, never imported.

It reads one JSON pair [gold, given] a line and answers each with a line, 1 or 0. It imports the reader of formulas
and sympy, nothing heavier, so that it is up in half a second. Before it reads the first pair it gives up what a formula
must not have: more than `MEMORY` bytes of address space, files larger than nothing (it can write none), core
dumps, and its own standard output, which libraries print to.
"""

import contextlib
import json
import os
import resource
import signal
import sys
from pathlib import Path
from types import FrameType

MEMORY = 2 * 2**30  # bytes; sympy takes about a twentieth
SECONDS = 0.6  # of computing for one pair; what does not stop even so is killed from outside
PACKAGE = Path(__file__).resolve().parents[3]  # Python started with -I knows neither PYTHONPATH nor this folder


def main() -> None:
    """Answer pairs until the input ends."""
    sys.path.insert(0, str(PACKAGE))
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    _same('["x+1", "1+x"]')  # imports what is slow, before the limits and the first deadline

    for kind, most in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, MEMORY)):
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some
            resource.setrlimit(kind, (most, most))
    print("ready", file=answers, flush=True)
    signal.signal(signal.SIGPROF, _time_is_over)
    for line in sys.stdin:
        print(int(_in_time(line)), file=answers, flush=True)


class _TimeIsOver(BaseException):
    """None that a library would catch."""


def _time_is_over(number: int, frame: FrameType | None) -> None:
    raise _TimeIsOver


def _in_time(line: str) -> bool:
    """Return the verdict, a no after so many seconds of computing: they do not depend on how busy the machine is."""
    try:
        signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS / 10)  # again, should a library have caught it
        return _same(line)
    except _TimeIsOver:
        return False
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _same(line: str) -> bool:
    """Return the verdict; whatever is raised, a MemoryError or RecursionError too, is a no."""
    from nemo_lab.reasoning.questions.formulas.equality import same_value
    from nemo_lab.reasoning.questions.formulas.reading import read

    try:
        gold, given = map(read, json.loads(line))
        return same_value(gold, given)
    except BaseException:
        return False


if __name__ == "__main__":
    main()
