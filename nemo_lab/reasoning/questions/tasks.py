"""Seven families of questions for a model that reads characters and was never taught anything else.

A question is a short string of printable ASCII; its thought is a worked solution in which every step is a
look-up among few cases, whereas the answer at once needs all steps together. Level is the number of steps.

    sum      347+586           13,13,09            933   column sums from the right, carry included, two digits
    chain    4-1-7+5           3,-4,1              1     running totals (reasoning-gym's chain_sum)
    logic    !(T&F)|F          !F|F,T|F,T          T     all parts that can be worked out, rewritten at once
    path     k>c,a>d,c>x,d>k;a3  d,k,c             c     a3: start at a, follow three arrows
    reverse  stone             s1t2o3n4e5          enots letters numbered (words of reasoning-gym)
    count    banana:a          011223              3     occurrences so far, letter by letter
    order    b<d,a<b;max       a<b<d               d     the chain in order

In path every letter has at most one arrow out, also the last one reached, so that it is not given away by
having none. In count the strings are made of three letters, so that counts spread; in English words nearly
all are 1. In logic brackets stand around every inner pair, so that no precedence has to be known.
Whether a thought helps a given model is measured in the notebooks; for reverse it need not.
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from nemo_lab.reasoning.questions.gym import gym_entry
from nemo_lab.reasoning.questions.items import Item

Random = np.random.Generator
LETTERS = tuple(string.ascii_lowercase)
_LOGIC = re.compile(r"!([TF])|\(([TF])([&|])([TF])\)|^([TF])([&|])([TF])$")
_ENTRIES = 2**40  # indices of reasoning-gym to choose among


def sum_item(random: Random, level: int) -> Item:
    """Return the sum of two numbers of `level` digits each, the first digit not 0."""
    low, high = 10 ** (level - 1), 10**level
    left, right = (int(number) for number in random.integers(low, high, size=2))
    columns = column_sums(str(left), str(right))
    return Item("sum", f"{left}+{right}", read_columns(columns), show_columns(columns))


def column_sums(left: str, right: str, forgets: int = 99) -> list[int]:
    """Return the sums of the columns from the right, each with the carry of the column before.

    Args:
        left: digits.
        right: as many digits.
        forgets: a column of at least so much hands on no carry (99: none, all is right).
    """
    sums, carry = [], 0
    for a, b in zip(reversed(left), reversed(right), strict=True):
        sums.append(int(a) + int(b) + carry)
        carry = int(10 <= sums[-1] < forgets)
    return sums


def show_columns(sums: Sequence[int]) -> str:
    """Return the thought of a sum: two digits a column."""
    return ",".join(f"{value:02d}" for value in sums)


def read_columns(sums: Sequence[int]) -> str:
    """Return the number that column sums spell: all of the last one, the last digit of the others."""
    return "".join([str(sums[-1]), *(str(value % 10) for value in reversed(sums[:-1]))])


def chain_item(random: Random, level: int) -> Item:
    """Return a chain of `level` one-digit terms with + and - between them, from reasoning-gym."""
    entry = gym_entry("chain_sum", _index(random), min_terms=level, max_terms=level, min_digits=1, max_digits=1)
    question = entry["metadata"]["expression"].replace(" ", "")
    total, totals = int(question[0]), []
    for step in re.findall(r"[+-]\d", question[1:]):
        total += int(step)
        totals.append(str(total))
    return Item("chain", question, entry["answer"], ",".join(totals))


def logic_item(random: Random, level: int) -> Item:
    """Return a formula with `level` connectives over T and F, and its reduction step by step."""
    question = _formula(random, level)
    steps = reduction(question)
    return Item("logic", question, steps[-1], ",".join(steps))


def _formula(random: Random, connectives: int, outer: bool = True) -> str:
    if connectives == 0:
        body = str(random.choice(["T", "F"]))
    else:
        left = int(random.integers(connectives))
        sides = (_formula(random, left, False), _formula(random, connectives - 1 - left, False))
        body = str(random.choice(["&", "|"])).join(sides)
        body = body if outer else f"({body})"
    return f"!{body}" if not (outer and connectives) and random.random() < 0.3 else body


def reduction(formula: str) -> list[str]:
    """Return the rewritten forms of a formula, the last one T or F."""
    steps = []
    while len(formula) > 1:
        formula = _LOGIC.sub(_value, formula)
        steps.append(formula)
    return steps


def _value(match: re.Match[str]) -> str:
    if match[1]:
        return "F" if match[1] == "T" else "T"
    left, connective, right = (match[k] or match[k + 3] for k in (2, 3, 4))
    pair = (left == "T", right == "T")
    return "T" if (all(pair) if connective == "&" else any(pair)) else "F"


def path_item(random: Random, level: int) -> Item:
    """Return arrows between letters, of which `level` are to be followed, and three that lead astray."""
    letters = [str(letter) for letter in random.permutation(LETTERS)[: level + 3]]
    way = letters[: level + 1]
    edges = list(pairwise(way))
    for source in letters[level:]:
        targets = [letter for letter in letters if letter != source]
        edges.append((source, str(random.choice(targets))))
    shown = ",".join(">".join(edges[k]) for k in random.permutation(len(edges)))
    return Item("path", f"{shown};{way[0]}{level}", way[-1], ",".join(way[1:]))


def reverse_item(random: Random, level: int) -> Item:
    """Return a word of 3 to `level` letters, to be written backwards, from reasoning-gym."""
    while True:
        entry = gym_entry("spell_backward", _index(random), min_word_len=3, max_word_len=level)
        word = entry["metadata"]["word"]
        if word.isascii() and word.islower() and word.isalpha():
            numbered = "".join(f"{letter}{place}" for place, letter in enumerate(word, 1))
            return Item("reverse", word, entry["answer"], numbered)


def count_item(random: Random, level: int) -> Item:
    """Return a string of `level` letters out of three, and one of the three to count."""
    letters = random.permutation(LETTERS)[:3]
    text = "".join(str(letter) for letter in random.choice(letters, size=level))
    wanted = str(random.choice(letters))
    so_far = [text[: end + 1].count(wanted) for end in range(level)]
    return Item("count", f"{text}:{wanted}", str(so_far[-1]), "".join(map(str, so_far)))


def order_item(random: Random, level: int) -> Item:
    """Return the neighbours of a chain of `level` letters, shuffled, and the question for its end."""
    chain = [str(letter) for letter in random.permutation(LETTERS)[:level]]
    pairs = list(pairwise(chain))
    shown = ",".join("<".join(pairs[k]) for k in random.permutation(len(pairs)))
    wanted = str(random.choice(["max", "min"]))
    return Item("order", f"{shown};{wanted}", chain[-1] if wanted == "max" else chain[0], "<".join(chain))


def _index(random: Random) -> int:
    return int(random.integers(_ENTRIES))


# --- wrong answers that look like right ones


def wrong_numbers(item: Item, random: Random) -> tuple[str, str, str]:
    """Return three other numbers near the answer: off by one, by ten, or by a forgotten carry."""
    right = int(item.answer)
    reach = [1, 2, 3] if abs(right) < 20 else [1, 10, 2, 100][: len(item.answer) + 1]
    near = [right + sign * step for step in reach for sign in (1, -1)]
    near = [value for value in near if right < 0 or item.domain == "chain" or value >= 0]
    return _three(near, random)


def wrong_truths(item: Item, random: Random) -> tuple[str, str, str]:
    """Return the other truth value, and two marks that are never right: guessing stays at one half."""
    return _three(["F" if item.answer == "T" else "T", "?", "-"], random)


def wrong_letters(item: Item, random: Random) -> tuple[str, str, str]:
    """Return three other letters, those of the question first."""
    names = re.sub(r";.*", "", item.question)
    inside = sorted({letter for letter in names if letter.isalpha()} - {item.answer})
    outside = [letter for letter in LETTERS if letter not in {*inside, item.answer}]
    some = [str(letter) for letter in random.permutation(inside)[:3]]
    return _three(some + [str(letter) for letter in random.permutation(outside)[: 3 - len(some)]], random)


def wrong_words(item: Item, random: Random) -> tuple[str, str, str]:
    """Return three other orders or spellings of the reversed word."""
    word = item.answer
    swapped = [word[:k] + word[k + 1] + word[k] + word[k + 2 :] for k in range(len(word) - 1)]
    spelled = [word[:k] + str(random.choice(LETTERS)) + word[k + 1 :] for k in range(len(word)) for _ in range(3)]
    near = sorted({word[::-1], *swapped, *spelled} - {word})
    return _three(near, random)


def _three(values: Sequence[int | str], random: Random) -> tuple[str, str, str]:
    chosen = random.permutation(len(values))[:3]
    first, second, third = (str(values[k]) for k in chosen)
    return first, second, third
