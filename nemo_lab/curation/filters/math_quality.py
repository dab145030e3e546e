"""A quality score from 0 to 5 for mathematical text, by countable signs.

The paper uses FineMath's classifier, a regression on Llama-3's labels from 0 (no educational value) to 5, whose
weights are not among the packages the lab can have. This score is ours and imitates what that rubric asks for:
is it prose, is there mathematics, is it explained, is there structure, is it whole. One point each, so that a
page's score can be read off. It orders pages; it is not calibrated to FineMath's labels, and 3 here is not 3 there.
"""

import math
import re
from dataclasses import dataclass

from nemo_lab.errors import check_text

_WORD = re.compile(r"[A-Za-z]{2,}")
# Blanks inside the dollars, letters behind them and braces are prices and variables of a shell.
_FORMULA = re.compile(r"\$(?:\$[^$]+\$\$|(?<![\w\\$]\$)(?!\{[\w.]+\})(?=[^\s$])[^$\n]{1,1000}?(?<![\s\\])\$(?![\w$]))")
# These look at lower-case text: matching without regard to case takes three times as long.
# Programs have functions, variables and sets too: beside mathematics these words are mathematics, alone they are not.
_SHARED = (
    r"arithmetic|definition|function|vector|algorithm|number|group|ring|field|series|limit|compute\w*|solution|solve|formula|"
    r"distribution|variable|graph|factor\w*|root|sum|product|estimate|operator|space|set|basis"
)
_TERMS = re.compile(
    r"\b(?:theorem|lemma|proof|proposition|corollary|equation|integral|derivative|matrix|matrices|polynomial|probability|prime|"
    r"algebra|converge\w*|modulo|coefficient|inequality|geometry|statistic\w*|linear|eigenvalue|calculus"
    rf"|({_SHARED}))s?\b",
)
_COMPANY = 3  # shared terms that one formula or one term of mathematics alone vouches for
_REASONING = re.compile(
    r"\b(?:because|since|therefore|hence|thus|then|if|let|suppose|assume|given|follows|implies|where|for example|"
    r"note that|recall|consider|so that|in order to|we have|we can|returns?|is defined|denotes?)\b",
)
_FUNCTION_WORDS = re.compile(r"\b(?:the|of|and|to|a|in|is|that|for|it|as|with|be|by|on|this|are|or|from|which|an)\b")


@dataclass(frozen=True)
class Signs:
    """The five signs, each from 0 to 1."""

    prose: float
    mathematics: float
    explanation: float
    substance: float
    integrity: float

    @property
    def score(self) -> float:
        """The sum, 0 to 5; without mathematics at most 2, as the rubric is about mathematics."""
        total = self.prose + self.mathematics + self.explanation + self.substance + self.integrity
        return total if self.mathematics > 0.2 else min(2.0, total)


def signs(text: str) -> Signs:
    """Return the signs of a cleaned text."""
    check_text("text", text)
    plain = re.sub(r"(?ms)^(`{3,}).*?^\1$", " ", text)
    outside = _FORMULA.sub(" ", plain)
    words = _WORD.findall(outside)
    count = max(1, len(words))
    lower = outside.lower()
    formulas, found = len(_FORMULA.findall(plain)), _TERMS.findall(lower)
    shared = sum(map(bool, found))
    sure = len(found) - shared
    terms = sure + min(shared, _COMPANY * (formulas + sure))
    lines = [line for line in outside.split("\n") if line.strip()]
    long_lines = sum(len(line) >= 80 for line in lines) / max(1, len(lines))
    return Signs(
        prose=ramp(len(_FUNCTION_WORDS.findall(lower)) / count, 0.05, 0.3),
        mathematics=ramp(math.log2(1 + formulas) / 5 + terms / count * 8, 0.05, 1.0),
        explanation=ramp(len(_REASONING.findall(lower)) / count, 0.0, 0.04),
        substance=ramp(math.log2(1 + len(words)), 5.5, 9.0),
        integrity=0.5 * ramp(long_lines, 0.0, 0.4)
        + 0.5 * ramp(len(set(map(str.lower, words))) / count**0.75, 0.4, 1.6),
    )


def score(text: str) -> float:
    """Return the score of a cleaned text, 0 to 5."""
    return round(signs(text).score, 3)


def ramp(value: float, low: float, high: float) -> float:
    """Return where a value lies between `low`, 0, and `high`, 1; beyond them it is 0 or 1."""
    return min(1.0, max(0.0, (value - low) / (high - low)))
