"""Answers of any text: right ones are recognised, and nothing that a model may write harms or hangs."""

import math
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.errors import LabError
from nemo_lab.reasoning.questions import checking
from nemo_lab.reasoning.questions.checking import MathChecker, as_number, refusal, same_answer
from tests.reasoning.questions.hostile import answers, judged
from tests.reasoning.refusals import Call, refused

PATIENT = 60.0  # seconds, where the answer matters and the machine may be busy
PAIRS = Path(__file__).with_name("math_pairs.tsv")
REFUSED = {
    "9^9^9^9": "tower of exponents",
    "10**10**10**10": "tower of exponents",
    "2^{2^{2^{99}}}": "tower of exponents",
    "9^{9999999}": "exponent of 100,000 or more",
    "2**-500000": "exponent of 100,000 or more",
    "９^{９９９９９９}": "exponent of 100,000 or more",
    "(" * 400 + ")" * 400: "nested",
    "__import__('os').system('touch X')": "code",
    "eval('1')": "code",
    "1\x00": "control characters",
    "7" * 1001: "more than 1000 digits",
    "100000!": "factorial",
    "3!!!": "factorial",
    "x" * 2001: "characters",
}
SAME = [
    ("x^2", "(x^1)^2"),
    (r"\frac{1}{2}", "0.5"),
    ("1/2", r"\boxed{\frac12}"),
    (r"\sqrt{8}", r"$2\sqrt{2}$"),
    (r"\{1,2\}", r"\{2,1\}"),
    ("x^2+2x+1", "(x+1)^2"),
    ("1<x<2", "(1,2)"),
    ("12,345", "12345.0"),
    ("10%", "0.1"),
]
DIFFERENT = [
    ("3", "4"),
    (r"\frac{1}{3}", "0.3333"),
    ("[0,1)", "(0,1]"),
    ("(a+b)^2", "a^2+b^2"),
    ("(1,2)", "1<x<2"),
    ("x", "y"),
    ("x+1", "Paris, I think"),
    ("5", r"\frac{"),
    ("N", "n"),
    ("ABC", "abc"),
]


@pytest.fixture(scope="module")
def checker():
    with MathChecker() as made:
        yield made


# --- as text, as a number


@pytest.mark.parametrize(
    ("gold", "given", "verdict"),
    [
        ("Paris", " paris.", True),
        ("St. John's", "st.  john's", True),
        ("ﬁve", "FIVE", True),  # a ligature
        ("A", "B", False),
        ("", "", False),
        (".", "...", False),  # nothing is left of either
        ("x" * 3000, "x" * 3000, True),
        ("x²", "x2", False),
        ("1½", "11/2", False),
        ("①③", "13", False),
    ],
)
def test_exact_is_the_same_text(gold, given, verdict):
    assert same_answer(gold, given) is verdict


@pytest.mark.parametrize(
    ("gold", "given", "verdict"),
    [
        ("-3.00", "−3", True),
        ("0.5", "1/2", True),
        ("1,234", "1234", True),
        (".5", "0.50", True),
        ("1/3", "0.3333", False),
        ("7", "1e9", False),
        ("7", "٧", False),  # a digit of another script
        ("12,34", "1234", False),
        ("0,245", "245", False),
        ("x", "x", False),
        ("1/0", "1/0", False),
        ("9" * 41, "9" * 41, True),
        ("9" * 1001, "9" * 1001, False),
        ("73", "**73**", True),
        ("73", r"$\boxed{73}$.", True),
        ("73", "**74**", False),
        (".", ".", False),
    ],
)
def test_number_is_the_same_rational(gold, given, verdict):
    assert same_answer(gold, given, kind="number") is verdict


@given(whole=st.integers(-(10**12), 10**12), below=st.integers(1, 10**6))
def test_numbers_are_read_back(whole, below):
    assert as_number(f"{whole}/{below}") * below == whole
    assert as_number(f"{whole:,}") == whole
    assert as_number(f" {whole}.50 ") == whole + (-0.5 if whole < 0 else 0.5)


@settings(max_examples=300)
@given(gold=st.text(max_size=60), given_=st.text(max_size=60))
def test_no_text_raises(gold, given_):
    for kind in ("exact", "number"):
        assert same_answer(gold, given_, kind=kind) in (True, False)
    assert isinstance(refusal(given_), str)


def test_mistakes_are_named():
    with pytest.raises(LabError, match="Unknown kind of answer 'maths', did you mean 'math'"):
        same_answer("1", "1", kind="maths")
    with pytest.raises(LabError, match="seconds is 0; it must be a finite number above 0"):
        same_answer("x", "y", kind="math", seconds=0)


# --- as a formula


@pytest.mark.parametrize(("gold", "given"), SAME)
def test_same_formulas(checker, gold, given):
    assert checker.same(gold, given, seconds=PATIENT)


@pytest.mark.parametrize(("gold", "given"), DIFFERENT)
def test_different_formulas(checker, gold, given):
    assert not checker.same(gold, given, seconds=PATIENT)


def table() -> list[tuple[str, str, str, bool]]:
    """Kind, gold, given and verdict of every line of the table, both ways."""
    rows = [line.split("\t") for line in PAIRS.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    there = [(kind, gold, given_, verdict == "1") for kind, gold, given_, verdict, _ in rows]
    return there + [(kind, given_, gold, verdict == "1") for kind, gold, given_, _, verdict in rows]


def test_the_table_of_pairs_both_ways(checker):
    """Kinds of faults that are known of graders, each with its siblings; those of one pair are told apart in time."""
    rows, slow = table(), []
    assert len(rows) >= 2 * 600
    wrong = []
    for kind, gold, given_, verdict in rows:
        start = time.monotonic()
        if checker.same(gold, given_, seconds=PATIENT) != verdict:
            wrong.append((kind, gold, given_, verdict))
        if time.monotonic() - start > 1:
            slow.append((gold, given_))
    assert not wrong
    for gold, given_ in slow:  # busy machines: once more
        start = time.monotonic()
        checker.same(gold, given_, seconds=PATIENT)
        assert time.monotonic() - start < 1, (gold, given_)


def test_the_same_text_is_the_same_answer_whatever_its_size(checker):
    for _, gold, given_, _ in table():
        for text in (gold, given_):
            assert checker.same(text, f" {text}\n"), text
    for text in ("(" * 10**5, "9" * 10**5, "^9" * 10**5, "{" * 10**5 + "}" * 10**5, "\\frac" * 10**5):
        assert checker.same(text, text + " ")
        assert not checker.same(text, text + "1")


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=lambda text: repr(text)[:20])
def test_absurd_formulas_are_refused_with_a_reason(text, reason):
    assert reason in refusal(text)
    assert same_answer(text, text, kind="math"), "no limit on equal texts"
    assert not same_answer("5", text, kind="math")


def test_blank_answers_are_refused_and_never_right():
    assert refusal(" \n") == "empty"
    assert not same_answer(" \n", " \n", kind="math")
    assert not same_answer("$$", "", kind="math")


def test_what_competitions_answer_is_not_refused():
    harmless = ["2^{100}", r"\frac{-1+\sqrt{5}}{2}", r"x^{2}+y^{2}", "10!", r"e^{i\pi}", "(x^2)^3", "2^{n+1}-2^{n}"]
    large = ["2^{2024}", "2024^{2024}", "e^{x^2}", r"2^{2^{10}}", r"\frac{1}{2004!}", "9" * 100]
    assert not [text for text in harmless + large if refusal(text)]


def test_it_works_from_any_thread():
    """Alarms, which graders use against endless formulas, need the main thread."""
    with ThreadPoolExecutor(4) as pool:
        verdicts = list(
            pool.map(lambda pair: same_answer(*pair, kind="math", seconds=PATIENT), SAME[:5] + DIFFERENT[:5])
        )
    assert verdicts == [True] * 5 + [False] * 5


@pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="no signal that stops a process")
def test_after_a_process_that_hangs_the_next_pair_is_judged(checker):
    checker.same("x+1", "x+2", seconds=PATIENT)
    killed = checker.killed
    os.kill(checker._process.pid, signal.SIGSTOP)
    assert not checker.same("x+1", "1+x", seconds=0.3)  # which never ends: that it returns is the test
    assert checker.killed == killed + 1
    assert checker.same(r"\frac{1}{2}", "2^{-1}", seconds=PATIENT), "not always no"


def test_a_process_that_dies_is_replaced(checker):
    assert checker.same(r"\sqrt{8}", r"2\sqrt{2}", seconds=PATIENT)
    checker._process.kill()
    checker._process.wait()
    assert checker.same(r"\sqrt{8}", r"2\sqrt{2}", seconds=PATIENT)


def test_the_process_is_replaced_after_so_many(checker, monkeypatch):
    checker.same("x", "y", seconds=PATIENT)
    first = checker._process.pid
    monkeypatch.setattr(checking, "CHECKS_EACH", 1)
    checker.same("x", "y", seconds=PATIENT)
    assert checker._process.pid != first


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
def test_a_fork_does_not_take_its_parents_process():
    code = (
        "import os, sys; from nemo_lab.reasoning.questions.checking import same_answer as s, _shared\n"
        "def ok(): return s('x+1', '1+x', kind='math', seconds=60) and not s('x', 'y', kind='math', seconds=60)\n"
        "assert ok(); pid = _shared()._process.pid; child = os.fork()\n"
        "if not child: sys.exit(0 if ok() and _shared()._process.pid != pid else 1)\n"
        "assert os.waitpid(child, 0)[1] == 0 and ok() and _shared()._process.pid == pid\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


# --- hostile answers


def test_hostile_answers_are_judged_in_time_and_nothing_is_run(tmp_path):
    """In a thread of its own; `hostile.py` tries ten thousand by hand."""
    found = answers(600, str(tmp_path / "sentinel"))
    counts = []
    with MathChecker() as checker, ThreadPoolExecutor(1) as pool:
        counts.append(pool.submit(judged, found, checker).result())
    assert counts[0]["raised"] == counts[0]["hung"] == 0
    assert counts[0]["same"] + counts[0]["different"] == len(found)
    assert counts[0]["refused"] > 100
    assert not list(tmp_path.iterdir()), "no code was run"


NAN = math.nan


@pytest.mark.parametrize(
    "call",
    [
        lambda: checking.same_answer(None, "1"),  # type: ignore[arg-type]
        lambda: checking.same_answer("1", None),  # type: ignore[arg-type]
        lambda: checking.same_answer("x", "y", kind="math", seconds=NAN),
    ],
)
def test_answers_that_are_no_texts(call: Call) -> None:
    refused(call)
