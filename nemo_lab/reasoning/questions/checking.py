r"""Whether an answer is the right one: as text, as a number, or as a formula.

    same_answer("Paris", " paris")                              # exact: the same text
    same_answer("0.5", "1/2", kind="number")                    # number: the same rational
    same_answer(r"\frac{1}{2}", "$0.5$", kind="math")            # math: the same formula

A wrong reward teaches a model the wrong thing, and one for a wrong answer is the worse of the two: it is found and
repeated. So formulas are compared by three rules. The same text, wrappers and layout aside, is always the same answer
(`formulas.notation`). Else every token of both texts must be read (`formulas.reading`): extractors that search an
answer for something to read take `5\left(` for 5. Else what was read must have the same value (`formulas.equality`).
What cannot be read is not the same.

An answer was written by a model, so it may be anything: a tower of exponents that fills the memory, brackets nested
a thousand deep, code. Nothing is ever evaluated as code. Formulas are compared in a process of their own
(`math_worker`) with limits of memory and time; after `seconds` it is killed and a new one started. It works from any
thread (signal alarms do not: verl PR 5635). The limits guard the computation only, equal texts need none.

The gold answer comes first: the gold `1<x<2` is met by `(1,2)`, not the reverse, which may be a point.
"""

from __future__ import annotations

import atexit
import json
import os
import re
import select
import subprocess
import sys
import threading
import time
import unicodedata
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from nemo_lab.errors import LabError, check_instance, check_number, one_of
from nemo_lab.reasoning.questions.formulas.notation import same_text
from nemo_lab.reasoning.questions.formulas.wrappers import unwrapped

KINDS = ("exact", "number", "math")
MAX_CHARACTERS = 2000  # of a formula that is computed with
MAX_NUMBER = 1000  # characters of a number
MAX_DEPTH = 24  # nested brackets of a formula
START_SECONDS = 60.0  # until a new worker is ready, on a busy machine
CHECKS_EACH = 2000  # by one worker, whose caches grow
_NUMBER = re.compile(r"([+-]?)([1-9]\d{0,2}(?:,\d{3})+|\d+)?(?:\.(\d*))?(?:/(\d+))?", re.ASCII)
_RAISED = ("<super>", "<sub>", "<fraction>", "<circle>")
_ABSURD = (
    (re.compile(r"[\x00-\x08\x0b-\x1f\x7f]"), "control characters"),
    (re.compile(r"__|\blambda\b|\bimport\b|\b(?:eval|exec|open)\s*\("), "code"),
    (re.compile(r"\d{1001}"), "a number of more than 1000 digits"),
    (re.compile(r"(?:\^|\*\*)\s*[({]*\s*[+-]?\d{6}"), "an exponent of 100,000 or more"),
    (re.compile(r"(?:(?:\^|\*\*)[({\s]*\d+[)}\s]*){3}"), "a tower of exponents"),
    (re.compile(r"\d{5}\s*[)}\]]*\s*!(?!=)|![\s)}\]]*![\s)}\]]*!"), "a factorial of a large number or of a factorial"),
)


def same_answer(gold: str, given: str, *, kind: str = "exact", seconds: float = 2.0) -> bool:
    """Return whether `given` is the answer `gold`. Empty answers never are.

    Args:
        gold: the right answer.
        given: the answer to judge.
        kind: exact (the same text but for case, spaces and the punctuation around it), number (the same
            rational: `1,234`, `0.50`, `1/2`, `**73**`) or math (a formula, plain or LaTeX).
        seconds: for math, how long the comparison may take before it counts as different.

    Raises:
        LabError: answers that are no texts, an unknown kind, no time.
    """
    check_instance("gold", gold, str, "give the text of the right answer")
    check_instance("given", given, str, "give the text of the answer to judge")
    if kind not in KINDS:
        raise LabError(one_of("kind of answer", kind, KINDS))
    if kind == "math":
        return _shared().same(gold, given, seconds=seconds)
    if kind == "number":
        right = _bare_number(gold)
        return right is not None and right == _bare_number(given)
    return plain(gold) == plain(given) != "" and _raised(gold) == _raised(given)


def plain(text: str) -> str:
    """Return the text for comparison: NFKC, without case, runs of spaces as one, bare of outer punctuation."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).strip(" .,;:!?\"'")


def _raised(text: str) -> list[str]:
    """Return the exponents, indices, fractions and labels that NFKC makes digits: x² is not x2, ①③ not 13."""
    return [character for character in text if unicodedata.decomposition(character).startswith(_RAISED)]


def as_number(text: str) -> Fraction | None:
    """Return the rational that a text is: digits with an optional sign, thousands commas, decimals, denominator."""
    text = text.strip().replace("\u2212", "-")
    match = _NUMBER.fullmatch(text) if len(text) <= MAX_NUMBER else None
    if match is None or not (match[2] or match[3]) or set(match[4] or "1") == {"0"}:
        return None
    whole, decimals = (match[2] or "0").replace(",", ""), match[3] or ""
    value = Fraction(int(whole + decimals), 10 ** len(decimals)) / int(match[4] or 1)
    return -value if match[1] == "-" else value


def _bare_number(text: str) -> Fraction | None:
    """Return the rational within wrappers: **73** is 73."""
    return as_number(unwrapped(text)) if len(text) <= MAX_CHARACTERS else None


def refusal(text: str) -> str:
    """Return why a formula is not given to the computer algebra, or nothing.

    A refused formula is only the same as the same text. The limits lie far above what answers of competition
    problems need; what passes them and is large all the same is refused by the reader of formulas.
    """
    if not text.strip():
        return "empty"
    if len(text) > MAX_CHARACTERS:
        return f"more than {MAX_CHARACTERS:,} characters"
    if _depth(text) > MAX_DEPTH:
        return f"brackets nested more than {MAX_DEPTH} deep"
    flat = unicodedata.normalize("NFKC", text)
    return next((reason for pattern, reason in _ABSURD if pattern.search(flat)), "")


def _depth(text: str) -> int:
    depth = deepest = 0
    for character in text:
        depth += (character in "([{") - (character in ")]}")
        deepest = max(deepest, depth)
    return deepest


class MathChecker:
    """Compares formulas in one process that is reused, and replaced when it takes too long.

    with MathChecker() as checker:
        checker.same(r"\\sqrt{8}", r"2\\sqrt{2}")

    `refused` counts pairs that never got to the process, `killed` the processes that ran out of time or died.
    One pair at a time: threads wait for each other.
    """

    def __init__(self) -> None:
        self.refused = 0
        self.killed = 0
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._checks = 0
        self._owner = 0

    def __enter__(self) -> MathChecker:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def same(self, gold: str, given: str, *, seconds: float = 2.0) -> bool:
        """Return whether two formulas are the same, within `seconds`; the start of a process is not counted.

        Raises:
            LabError: no time was given, or no process can be started here.
        """
        check_number("seconds", seconds, above=0)
        if gold.split() == given.split():
            return bool(gold.split())
        if max(len(gold), len(given)) <= MAX_CHARACTERS and same_text(gold, given):
            return True
        if refusal(gold) or refusal(given):
            self.refused += 1
            return False
        numbers = as_number(gold), as_number(given)
        if all(number and number.denominator == 1 for number in numbers):
            return numbers[0] == numbers[1]
        with self._lock:
            return self._ask(json.dumps([gold, given]).encode() + b"\n", seconds) == b"1"

    def close(self) -> None:
        """End the process; the next comparison starts another."""
        process, self._process = self._process, None
        if process is not None and self._owner == os.getpid():  # else it is the parent's, who forked us
            process.kill()
            for stream in (process.stdin, process.stdout):
                if stream:
                    stream.close()
            process.wait()

    def _ask(self, line: bytes, seconds: float) -> bytes:
        process = self._ready()
        try:
            assert process.stdin
            process.stdin.write(line)
            process.stdin.flush()
            return self._line(process, seconds)
        except OSError:  # it died, or its time is over
            self.killed += 1
            self.close()
            return b"0"

    def _ready(self) -> subprocess.Popen[bytes]:
        """Return the process, a new one after so many checks or when the old one died."""
        if self._process is None or self._process.poll() is not None or self._checks >= CHECKS_EACH:
            self.close()
            worker = Path(__file__).with_name("math_worker.py")
            self._process = subprocess.Popen(
                [sys.executable, "-I", str(worker)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
            self._checks, self._owner = 0, os.getpid()
            try:
                self._line(self._process, START_SECONDS)
            except OSError as error:
                self.close()
                raise LabError("The process that compares formulas does not start; is sympy installed?") from error
        self._checks += 1
        return self._process

    def _line(self, process: subprocess.Popen[bytes], seconds: float) -> bytes:
        """Return the next line of the process.

        Raises:
            TimeoutError: it took longer.
            BrokenPipeError: the process ended.
        """
        assert process.stdout
        end, line = time.monotonic() + seconds, b""
        while not line.endswith(b"\n"):
            if not select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
                raise TimeoutError
            part = os.read(process.stdout.fileno(), 64)
            if not part:
                raise BrokenPipeError
            line += part
        return line.strip()


_CHECKERS: dict[int, MathChecker] = {}
_STARTING = threading.Lock()


def _shared() -> MathChecker:
    """Return this process's checker: after a fork the child must not read its parent's answers."""
    with _STARTING:
        if os.getpid() not in _CHECKERS:
            _CHECKERS[os.getpid()] = MathChecker()
            atexit.register(_CHECKERS[os.getpid()].close)
        return _CHECKERS[os.getpid()]
