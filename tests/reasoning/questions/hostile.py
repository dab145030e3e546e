"""Answers that no reward function should fear: code, towers, brackets without end, and true answers that were mutated.

By hand, over ten thousand of them: python -m tests.reasoning.questions.hostile 10000
"""

import random
import re
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from nemo_lab.reasoning.questions.checking import MathChecker, same_answer

PAIRS = Path(__file__).with_name("math_pairs.tsv")
GOLDS = ("5", r"\frac{x}{2}", r"\{1,2\}", "x=5", "(-1,3]", r"2^{2024}", r"28\%")
# Pieces that backtrack, nest or grow where a reader is careless.
REPEATED = (
    *("\\boxed{", "$", "\\$", "*", "**", "`", "```", "answer is ", "Answer: ", "(", "[", "{", "\\{", "|", "\\left("),
    *("1,111", " 111", "1 1/", "\\text{", "\\mathrm{a", "^", "^{2", "_", "a_", "!", "%", "'", "...", ".", ",", "and "),
    *(
        "\\sqrt",
        "\\sin",
        "\\frac",
        "\\begin{matrix}",
        "&",
        "\\\\",
        "=",
        "<x",
        "\\pm",
        "-",
        "+1",
        "x",
        "\\cup[0,1]",
        "½",
    ),
    *(
        "<sup>2",
        "９",
        "²",
        "\\",
        "\n",
        "\\times10^",
        "e9",
        "\\overline{",
        "\\(",
        "\\[",
        "f(",
        "\\lfloor",
        "7",
        "i",
        "°",
    ),
)
PIECES = (*"{}$x7^_=,()%|!.-+*/[]<>;:&'\"\\ \nieπ∞é²½√", "\\frac", "\\sqrt", "\\text", "\\pm", "\\left", "\\cup")


def answers(count: int, sentinel: str, seed: int = 0) -> list[str]:
    """So many hostile answers, the same for the same seed; code in them would make the file `sentinel`."""
    dice = random.Random(seed)
    true = sorted({part for line in PAIRS.read_text(encoding="utf-8").splitlines() for part in line.split("\t")[1:3]})
    makers = (lambda: code(dice, sentinel), lambda: large(dice), lambda: long(dice), lambda: wild(dice))
    kinds = (*makers, lambda: mutated(dice, dice.choice(true)), lambda: joined(dice, true))
    return [kinds[k % len(kinds)]() for k in range(count)]


def code(dice: random.Random, sentinel: str) -> str:
    number = dice.randint(2, 10**6)
    python = dice.choice(
        (
            f"__import__('os').system('touch {sentinel}')",
            f"open('{sentinel}','w').write('{number}')",
            f"eval(\"__import__('os').mkdir('{sentinel}')\")",
            f"[c for c in ().__class__.__base__.__subclasses__()][{number}]",
            f"exec('import os; os.mknod(\"{sentinel}\")') # {number}",
            f"(lambda: open('{sentinel}','w'))()",
            f"Function('open')('{sentinel}','w')",
            f"x.func.__globals__['open']('{sentinel}','w')",
            f"\\input{{{sentinel}}}\\write18{{touch {sentinel}}}",
        )
    )
    return dice.choice(("{}", "${}$", "\\boxed{{{}}}", "\\text{{{}}}", "**{}**", "x={}")).format(python)


def large(dice: random.Random) -> str:
    """A formula that fills memory or time where it is worked out."""
    number = dice.randint(2, 10 ** dice.randint(1, 6))
    return dice.choice(
        (
            "^".join(["9"] * dice.randint(3, 300)),
            "**".join([str(number)] * dice.randint(2, 30)),
            f"{number}^{{{number}{number}}}",
            f"({number}x)^{{{number}}}",
            f"{number}!" + "!" * dice.randint(0, 9),
            f"(({number}!)!)!",
            f"\\binom{{{number}}}{{{number // 2}}}^{{{dice.randint(1, 999)}}}",
            f"(x+y+z+w)^{{{number}}}",
            "+".join([f"{dice.randint(1, 99)}^{{{dice.randint(1, 9999)}}}"] * dice.randint(1, 100)),
            "x^{" * dice.randint(2, 20) + "x" + "}" * dice.randint(2, 20),
            f"\\sin({number}^{{{dice.randint(1, 9999)}}})",
            f"\\sqrt[{number}]{{{number}{number}}}",
            f"e^{{e^{{{number}}}}}",
            f"\\log_{{{number}}}({number}^{{{dice.randint(1, 9999)}}})",
            f"\\lfloor\\pi\\cdot10^{{{dice.randint(1, 9999)}}}\\rfloor",
            f"1e{number}",
            f"0.\\overline{{{'7' * dice.randint(1, 900)}}}",
        )
    )


def long(dice: random.Random) -> str:
    """One piece over and over, or two by turns, now and then closed again; some longer than what is looked at."""
    piece, other = dice.choice(REPEATED), dice.choice(REPEATED)
    times = dice.choice((30, 200, 1900, 10**5 if dice.random() < 0.02 else 600))
    return dice.choice((piece, piece + other)) * times + dice.choice(("", "}" * times, ")" * times, "5"))


def wild(dice: random.Random) -> str:
    return "".join(dice.choice(PIECES) for _ in range(dice.randint(1, 24)))


def mutated(dice: random.Random, text: str) -> str:
    """A true answer with a few characters lost, doubled, swapped or put in."""
    letters = list(text)
    for _ in range(dice.randint(1, 4)):
        place = dice.randrange(len(letters) + 1)
        letters[place : place + dice.randint(0, 2)] = dice.choice(
            ([], [dice.choice(PIECES)], letters[place : place + 2] * 2)
        )
    return "".join(letters)


def joined(dice: random.Random, true: list[str]) -> str:
    sign = dice.choice((",", "=", "+", "^", " or ", "<", " ", "\\cup ", "\\approx ", ":", "/", "|"))
    return sign.join(dice.choice(true) for _ in range(dice.randint(2, 6)))


def judged(found: list[str], checker: MathChecker) -> Counter[str]:
    """How often an answer raised, took over 3 s, was judged, and was judged the same as its gold answer."""
    counts: Counter[str] = Counter(raised=0, hung=0)
    for k, answer in enumerate(found):
        gold, start = GOLDS[k % len(GOLDS)], time.monotonic()
        try:
            verdict = checker.same(gold, answer, seconds=2.0)
            same_answer(gold, answer, kind="number"), same_answer(gold, answer)
            counts["same" if verdict else "different"] += 1
        except Exception:  # what must not happen is counted, and the count is the test
            counts["raised"] += 1
        counts["hung"] += time.monotonic() - start > 3
    counts.update(refused=checker.refused, killed=checker.killed)
    return counts


def main(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder, MathChecker() as checker:
        found = answers(count, str(Path(folder) / "sentinel"))
        print(dict(judged(found, checker)), "executed:", len(list(Path(folder).iterdir())))
    print("distinct:", len(set(found)), "longest:", max(map(len, found)))


if __name__ == "__main__":
    main(int(sys.argv[1]) if re.fullmatch(r"\d+", "".join(sys.argv[1:2])) else 300)
