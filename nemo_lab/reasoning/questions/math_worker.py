"""The process in which formulas are compared: started by `checking.MathChecker` as a script, never imported.

It reads one JSON pair [gold, given] a line and answers each with a line, 1 or 0. It imports math-verify and
nothing of the lab, so that it is up in half a second. Before it reads the first pair it gives up what a formula
must not have: more than `MEMORY` bytes of address space, files larger than nothing (it can write none), core
dumps, and its own standard output, which libraries print to.
"""

import contextlib
import json
import os
import re
import resource
import sys

MEMORY = 2 * 2**30  # bytes; sympy with its grammars takes about a tenth
_MARKED = re.compile(r"\$|\\\(|\\\[|\\boxed|\\begin")


def main() -> None:
    """Answer pairs until the input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="ascii")
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    _same('["x+1", "1+x"]')  # imports what is slow, before the limits and the first deadline

    for kind, most in ((resource.RLIMIT_FSIZE, 0), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, MEMORY)):
        with contextlib.suppress(ValueError, OSError):  # macOS refuses some
            resource.setrlimit(kind, (most, most))
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        print(int(_same(line)), file=answers, flush=True)


def _same(line: str) -> bool:
    """Return math-verify's verdict; whatever is raised, a MemoryError or RecursionError too, is a no."""
    from math_verify import parse, verify

    try:
        gold, given = (parse(_marked(text), parsing_timeout=0) for text in json.loads(line))
        return bool(gold and given and verify(gold, given, timeout_seconds=0))
    except BaseException:
        return False


def _marked(text: str) -> str:
    """Return the text as LaTeX that math-verify looks into: it reads formulas between marks only."""
    return text if _MARKED.search(text) else f"${text}$"


if __name__ == "__main__":
    main()
