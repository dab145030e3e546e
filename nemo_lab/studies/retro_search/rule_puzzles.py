"""A search whose traces have thoughts and needless switches: which rule leads from one number to another?

Numbers are those modulo 17. A puzzle gives a start, a goal and some rules, one of which, applied `hops` times, leads
from the start to the goal. Which one cannot be seen at once; one has to try them. The answer is
the last step without its result, so that neither the rule alone nor a lucky guess will do.

    prompt   +8 +5 x2:03?01=            which of the three, applied three times, leads from 03 to 01?
    trace    03+5=08␤␤08+5=13␤␤Alternatively, 03+8=11␤␤Hmm, 03+5=08␤␤08+5=13␤␤13+5=01 vs 01␤␤so 13+5

(␤␤ is a blank line). A step applies a rule once; a thought tries one rule from the start, and its
last step sets the result beside the goal. A trier has to switch when a rule has led to
another number. Ours is also *impatient*: the first time it tries a rule, it gives it up at an odd number with
probability `leave`, without having seen the end, and has to come back to it later. Such switches are needless by
construction, and their habit has a cue that a model can learn and unlearn. The keyword of a switch depends on the
number that is left.

Everything is a function of (seed, split, index). A puzzle belongs to train or test by a hash of its content, the rules
as a set, so that no test puzzle is ever trained on, whatever the seeds.
"""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import dataclass
from itertools import pairwise

from nemo_lab.errors import LabError, check_whole
from nemo_lab.reasoning.codec import Codec
from nemo_lab.reasoning.retro.thoughts import BLANK, split_steps

MODULUS = 17
RULES = ("+3", "+5", "+8", "+14", "x2", "x3", "x5", "x7")
SWITCHES = ("Wait", "Hmm", "Alternatively", "Not sure")
ANSWER, VERSUS = "so ", " vs "
TEST_SHARE = 0.2
SPLITS = ("train", "test")
_STEP = re.compile(r"(?:(?:" + "|".join(SWITCHES) + r"), )?(\d\d)([+x]\d+)=(\d\d)(?: vs (\d\d))?")


@dataclass(frozen=True)
class Puzzle:
    """One puzzle.

    Attributes:
        start, goal: numbers. rules: those offered. right: the one that leads to the goal. hops: how often.
    """

    start: int
    goal: int
    rules: tuple[str, ...]
    right: str
    hops: int

    @property
    def answer(self) -> str:
        """The last step to the goal without its result, such as `15+3`."""
        return f"{run(self.right, self.start, self.hops)[-2]:02d}{self.right}"

    @property
    def prompt(self) -> str:
        """The rules, the start and the goal."""
        return f"{' '.join(self.rules)}:{self.start:02d}?{self.goal:02d}="


def codec() -> Codec:
    """Tokens of this task: numbers as operands, results and goals, rules, blank lines, and some of the keywords.

    "Hmm" has three tokens and "Not sure" four, so that banning a keyword of several tokens is part of the task.
    """
    numbers = [word for n in range(MODULUS) for word in (f"{n:02d}", f"={n:02d}", f"{VERSUS}{n:02d}", f"?{n:02d}")]
    return Codec([*numbers, *RULES, BLANK, "Wait", "Alternatively", " sure", ANSWER])


def apply(rule: str, number: int) -> int:
    """A rule such as `+7` or `x3`, applied once, modulo 17."""
    by = int(rule[1:])
    return (number + by if rule[0] == "+" else number * by) % MODULUS


def run(rule: str, start: int, hops: int) -> list[int]:
    """The start and the numbers that a rule makes of it."""
    numbers = [start]
    for _ in range(hops):
        numbers.append(apply(rule, numbers[-1]))
    return numbers


def puzzle(seed: int, split: str, index: int, rules: int = 3, hops: int = 3) -> Puzzle:
    """Puzzle number `index` of a split; two indices may by chance give the same puzzle, two splits never.

    Raises:
        LabError: an unknown split, a number of rules that there is not, or fewer than two hops.
    """
    if split not in SPLITS:
        raise LabError(f"split is {split!r}; expected train or test.")
    check_whole("hops", hops, 2)
    check_whole("rules", rules, 2)
    if rules > len(RULES):
        raise LabError(f"rules is {rules}; there are {len(RULES)} to choose among.")
    rng = random.Random(f"puzzle {seed} {split} {index}")
    while True:
        found = _draw(rng, rules, hops)
        if found is not None and split_of(found) == split:
            return found


def read(prompt: str, hops: int = 3) -> Puzzle:
    """The puzzle of a prompt.

    Raises:
        LabError: it is no prompt of a puzzle, or not one rule leads to the goal.
    """
    found = re.fullmatch(r"([+x\d ]+):(\d\d)\?(\d\d)=", prompt)
    if found is None:
        raise LabError(f"{prompt!r} is no prompt; expected something like '+8 +5 x2:03?01='.")
    rules, start, goal = tuple(found[1].split()), int(found[2]), int(found[3])
    right = [rule for rule in rules if run(rule, start, hops)[-1] == goal]
    if len(right) != 1:
        raise LabError(f"{len(right)} rules lead to the goal of {prompt!r} in {hops} steps; expected 1.")
    return Puzzle(start, goal, rules, right[0], hops)


def split_of(one: Puzzle) -> str:
    """The split that a puzzle's content belongs to, whatever the order of its rules."""
    content = f"{one.start} {one.goal} {sorted(one.rules)} {one.hops}".encode()
    part = int.from_bytes(hashlib.blake2b(content, digest_size=8).digest()) / 2**64
    return "test" if part < TEST_SHARE else "train"


def attempt(one: Puzzle, leave: float, seed: int = 0) -> str:
    """The trace of a trier, which always finds the answer.

    Args:
        leave: probability that it gives up a rule at an odd number when it tries it for the first time.
        seed: of its choices: which rule is next, and whether to give up.
    """
    rng = random.Random(f"attempt {seed} {one.prompt}")
    left, tried, steps = list(one.rules), set[str](), list[str]()
    rule, opening = rng.choice(left), ""
    while True:
        numbers = run(rule, one.start, one.hops)
        stop = _stop(numbers, leave if rule not in tried and len(left) > 1 else 0.0, rng)
        hops = [f"{a:02d}{rule}={b:02d}" for a, b in pairwise(numbers[: stop + 1])]
        steps += [opening + hops[0], *hops[1:]]
        tried.add(rule)
        if stop == one.hops:
            steps[-1] += f"{VERSUS}{one.goal:02d}"
        if stop == one.hops and rule == one.right:
            return BLANK.join([*steps, ANSWER + one.answer])
        if stop == one.hops:
            left.remove(rule)
        rule, opening = rng.choice([r for r in left if r != rule] or left), keyword_after(numbers[stop]) + ", "


def keyword_after(number: int) -> str:
    """The keyword with which the trier leaves a number."""
    return SWITCHES[number // 2 % len(SWITCHES)]


def answer_of(trace: str) -> str | None:
    """The answer that a trace gives, if its last step is an answer and nothing else."""
    found = re.fullmatch(re.escape(ANSWER) + r"(\d\d[+x]\d+)", split_steps(trace)[-1] if trace else "")
    return found.group(1) if found else None


def is_correct(one: Puzzle, trace: str) -> bool:
    """Whether the trace ends with the right answer. How it got there is not looked at; see `is_sound`."""
    return answer_of(trace) == one.answer


def is_sound(one: Puzzle, trace: str) -> bool:
    """Whether the answer is right, every step is, and the last thought walks from the start to the goal."""
    steps = [_STEP.fullmatch(step.rstrip("\n")) for step in split_steps(trace)[:-1]]
    if not steps or None in steps or not is_correct(one, trace):
        return False
    made = [(int(step[1]), step[2], int(step[3])) for step in steps if step]
    numbers = run(one.right, one.start, one.hops)
    walked = [(a, one.right, b) for a, b in pairwise(numbers)]
    compared = {step[4] for step in steps if step} <= {None, f"{one.goal:02d}"}
    true = all(apply(rule, a) == b and rule in one.rules for a, rule, b in made)
    return compared and true and made[-one.hops :] == walked


def _draw(rng: random.Random, rules: int, hops: int) -> Puzzle | None:
    """A puzzle, or None where two rules end at the goal or one leads back to the start."""
    start, offered = rng.randrange(1, MODULUS), tuple(rng.sample(RULES, rules))
    ends = [run(rule, start, hops)[-1] for rule in offered]
    answer = rng.randrange(rules)
    if ends.count(ends[answer]) > 1 or start in ends:
        return None
    return Puzzle(start, ends[answer], offered, offered[answer], hops)


def _stop(numbers: list[int], leave: float, rng: random.Random) -> int:
    """After how many steps the trier gives up; before the end it does so at odd numbers only."""
    for hops, number in enumerate(numbers[1:-1], 1):
        if number % 2 and rng.random() < leave:
            return hops
    return len(numbers) - 1
