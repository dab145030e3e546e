"""Answers of any text: right ones are recognised, and nothing that a model may write harms or hangs."""

import math
import os
import random
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.errors import LabError
from nemo_lab.reasoning.questions import checking
from nemo_lab.reasoning.questions.checking import MathChecker, as_number, refusal, same_answer
from tests.reasoning.refusals import Call, refused

PATIENT = 60.0  # seconds, where the answer matters and the machine may be busy
# Over 15 s each, so that no machine decides them within the 0.2 s they get; then two that take a second or so.
STUCK = [r"(x+y+z+w+v)^{500}", r"\sum_{n=1}^{999} n^{n}", r"(x+y+z)^{900}", r"(x+y+z+w+v+u)^{900}"]
SLOW = [r"\binom{999}{500}^{999}", "+".join(["1"] * 900)]
REFUSED = {
    "9^9^9^9": "exponent of an exponent",
    "10**10**10": "exponent of an exponent",
    "2^{2^{2^{99}}}": "exponent of an exponent",
    "9^{99999}": "exponent of 1000 or more",
    "2**-5000": "exponent of 1000 or more",
    "９^{９９９９９}": "exponent of 1000 or more",
    "(" * 400 + ")" * 400: "nested",
    "__import__('os').system('touch X')": "code",
    "eval('1')": "code",
    "1\x00": "control characters",
    "7" * 60: "more than 50 digits",
    "100000!": "factorial",
    "3!!!": "factorial",
    "x" * 2001: "characters",
    " \n": "empty",
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
        ("x" * 3000, "x" * 3000, False),
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
        ("x", "x", False),
        ("1/0", "1/0", False),
        ("9" * 41, "9" * 41, False),
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


@pytest.mark.parametrize(("text", "reason"), REFUSED.items(), ids=lambda text: repr(text)[:20])
def test_absurd_formulas_are_refused_with_a_reason(text, reason):
    assert reason in refusal(text)
    assert not same_answer(text, text, kind="math")


def test_what_competitions_answer_is_not_refused():
    harmless = ["2^{100}", r"\frac{-1+\sqrt{5}}{2}", r"x^{2}+y^{2}", "10!", r"e^{i\pi}", "(x^2)^3", "2^{n+1}-2^{n}"]
    assert not [text for text in harmless if refusal(text)]


def test_it_works_from_any_thread():
    """math-verify itself raises there: its alarms need the main thread."""
    with ThreadPoolExecutor(4) as pool:
        verdicts = list(
            pool.map(lambda pair: same_answer(*pair, kind="math", seconds=PATIENT), SAME[:5] + DIFFERENT[:5])
        )
    assert verdicts == [True] * 5 + [False] * 5


def test_after_a_slow_formula_the_next_is_judged(checker):
    killed = checker.killed
    assert not checker.same("x+1", STUCK[0], seconds=0.3)  # which never ends: that it returns is the test
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


# --- ten thousand hostile answers


def hostile(seed: int, sentinel: str) -> str:
    """One answer that no reward function should fear."""
    dice = random.Random(seed)
    number = dice.randint(2, 10**6)
    code = [
        f"__import__('os').system('touch {sentinel}')",
        f"open('{sentinel}','w').write('{number}')",
        f"$eval(\"__import__('os').mkdir('{sentinel}')\")$",
        f"\\boxed{{[c for c in ().__class__.__base__.__subclasses__()][{number}]}}",
        f"exec('import os; os.mknod(\"{sentinel}\")') # {number}",
    ]
    forms = [
        lambda: dice.choice(code),
        lambda: "^".join(["9"] * dice.randint(3, 300)),
        lambda: "**".join([str(number)] * dice.randint(3, 30)),
        lambda: f"{number}^{{{number}{number}}}",
        lambda: dice.choice("([{") * dice.randint(13, 1900),
        lambda: "\\frac{" * dice.randint(13, 300) + "1" + "}{2}" * dice.randint(0, 300),
        lambda: str(number) * dice.randint(10, 10_000),
        lambda: f"{number}!!",
        lambda: "\0" * dice.randint(1, 9) + str(number),
        lambda: "".join(chr(dice.randint(1, 0xD7FF)) for _ in range(dice.randint(1, 30))) + "\x07",
        lambda: "\ud800" + "".join(chr(dice.randint(0xD800, 0x10FFFF)) for _ in range(5)) + "\x1b",
        lambda: f"{dice.choice(['-', '', '+'])}{number}.{number}",
        lambda: "\\int_0^{" + "x^{" * dice.randint(13, 100),
        lambda: " " * dice.randint(0, 3000),
    ]
    return dice.choice(forms)()


def wild(seed: int) -> str:
    """An answer that does reach the computer algebra."""
    dice = random.Random(seed)
    parts = [
        "\\frac",
        "{",
        "}",
        "$",
        "x",
        "7",
        "^",
        "_",
        "\\sqrt",
        "=",
        ",",
        "(",
        ")",
        "∞",
        "é",
        "\\text",
        "%",
        "\n",
        "|",
    ]
    return "".join(dice.choice(parts) for _ in range(dice.randint(1, 8)))


def test_ten_thousand_hostile_answers(tmp_path):
    """In a thread of its own. 9,850 are refused or decided at once, 150 reach the process, 4 of them stuck in it."""
    sentinel = str(tmp_path / "sentinel")
    answers = [hostile(k, sentinel) for k in range(9850)] + [wild(k) for k in range(144)] + SLOW + STUCK
    verdicts: list[bool] = []

    def work(checker: MathChecker) -> None:
        for answer in answers:
            verdicts.append(checker.same(r"\frac{x}{2}", answer, seconds=PATIENT if answer not in STUCK else 0.2))
            verdicts.extend(same_answer("12", answer, kind=kind) for kind in ("exact", "number"))

    with MathChecker() as checker:
        thread = threading.Thread(target=work, args=(checker,))
        thread.start()
        thread.join()
        assert checker.killed == len(STUCK)
        assert checker.refused > 8000
    assert verdicts == [False] * 3 * 10_000, "all were judged, none is right"
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
