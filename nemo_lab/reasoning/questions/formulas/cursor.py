"""A place in the tokens of one side of a formula: what comes next, taken one by one until none is left."""

from __future__ import annotations

import re
from collections.abc import Iterator

from nemo_lab.reasoning.questions.formulas.notation import Token
from nemo_lab.reasoning.questions.formulas.spellings import FUNCTIONS
from nemo_lab.reasoning.questions.formulas.units import CURRENCIES, is_unit
from nemo_lab.reasoning.questions.formulas.values import Unreadable

_DERIVATIVE = re.compile(r"\{d(?![!_+\-*/]).*?\}\{d(?:[A-Za-z]|\\[a-z]+)(?:\^\{?\w\}?)?\}")
LONGEST_PRODUCT = 4  # letters in a row that may be factors; more are a word


class Cursor:
    """Tokens and a place in them.

    Args:
        found: the tokens; names in them are cut into letters, functions and units.
    """

    def __init__(self, found: list[Token]) -> None:
        self.tokens = list(_letters(found))
        self.place = 0

    def next(self, ahead: int = 0) -> str:
        """Return the text of the next token, or of one further ahead; nothing at the end."""
        return self.tokens[self.place + ahead].text if self.place + ahead < len(self.tokens) else ""

    def kind(self, ahead: int = 0) -> str:
        """Return the kind of the next token, or of one further ahead; nothing at the end."""
        return self.tokens[self.place + ahead].kind if self.place + ahead < len(self.tokens) else ""

    def before(self) -> Token:
        """Return the token before the one that was taken last."""
        return self.tokens[self.place - 2] if self.place > 1 else Token("", "")

    def last(self) -> str:
        """Return the text of the token that was taken last; nothing at the start."""
        return self.tokens[self.place - 1].text if self.place else ""

    def take(self) -> Token:
        """Return the next token and go on.

        Raises:
            Unreadable: none is left.
        """
        if self.place == len(self.tokens):
            raise Unreadable("the formula stops short")
        self.place += 1
        return self.tokens[self.place - 1]

    def take_digit(self) -> str:
        """Return the first digit of the number that is next, and leave its others."""
        digits = self.take().text
        if len(digits) > 1:
            self.tokens[self.place - 1 : self.place] = [Token("number", digits[0]), Token("number", digits[1:])]
        return digits[0]

    def accept(self, *texts: str) -> str:
        """Take the next token if it is one of these; return its text, or nothing."""
        return self.take().text if self.next() and self.next() in texts else ""

    def expect(self, *texts: str) -> str:
        """Take the next token, which must be one of these, and return its text.

        Raises:
            Unreadable: it is another.
        """
        if self.next() not in texts:
            raise Unreadable(f"{self.next() or 'the end'} instead of {' or '.join(texts)}")
        return self.take().text

    def between(self, opening: str, closing: str) -> list[Token]:
        """Take a group without groups in it and return the tokens inside."""
        self.expect(opening)
        inside = []
        while self.next() != closing:
            inside.append(self.take())
        self.take()
        return inside

    def argument(self, opening: str = "{", closing: str = "}") -> str:
        """Take one token, or a group without groups in it, and return what it says, as text."""
        inside = self.between(opening, closing) if self.next() == opening else [self.take()]
        return "".join(token.text for token in inside)

    def period(self, mark: str) -> str:
        r"""Take what a decimal repeats, after its mark: \overline{12}, or the dots of \dot12\dot3."""
        digits = self.argument()
        if mark != "\\dot" or "\\dot" not in (self.next(), self.next(1)):
            return digits
        digits += "" if self.next() == "\\dot" else self.take().text
        self.expect("\\dot")
        return digits + self.argument()

    def is_at_a_derivative(self) -> bool:
        r"""Return whether the arguments of a fraction come next that are those of dy/dx, and not of def/(de+df)."""
        text = "".join(self.next(ahead) for ahead in range(24))
        return bool(_DERIVATIVE.match(text))

    def index(self) -> str:
        """Take the index and the primes after a name and return them as text."""
        name = ""
        while self.next() in ("_", "'"):
            name += self.take().text
            if name.endswith("_"):
                name += self.argument()
        return name


def _letters(found: list[Token]) -> Iterator[Token]:
    """Yield tokens with names cut into letters, but for units after a value and functions: sinx is sin x."""
    units = False
    for place, token in enumerate(found):
        units = units or token.kind == "words"
        if token.kind != "name" and (token.text != "\\sec" or place + 1 < len(found)):
            yield token
        elif token.text == "\\sec":  # at the end of a formula seconds, no function
            units = True
            yield Token("words", "sec")
        elif place and found[place - 1].text != "{" and len(token.text) > 1 and is_unit(token.text, plain=True):
            units = True
            yield Token("words", token.text)
        elif (token.text in ("C", "F", "K") and place and found[place - 1].text == "°") or (
            units and len(token.text) == 1
        ):
            yield Token("upright", token.text)
        else:
            yield from _factors(token.text)


def _factors(name: str) -> Iterator[Token]:
    function = next((one for one in FUNCTIONS | {"sqrt"} if len(name) > 1 and name.startswith(one)), "")
    if function:
        yield Token("command", f"\\{function}")
    elif len(name) > LONGEST_PRODUCT:
        yield Token("words", name)
        return
    yield from (Token("name", letter) for letter in name[len(function) :])


def places(found: list[Token]) -> int | None:
    r"""Return the decimals of a side that is one decimal number, 1.5 or 1.5\times10^{-3}, else none."""
    texts = [token.text for token in found if token.kind not in ("words", "upright")]
    signs = [text for text in texts if text not in (*"+-{}%°", *CURRENCIES)]
    if not signs or "." not in signs[0] or signs[0] == "...":
        return None
    mantissa, _, exponent = signs[0].lower().partition("e")
    written = len(mantissa.partition(".")[2]) - int(exponent or 0)
    if len(signs) == 1:
        return written
    if signs[1:4] != ["*", "10", "^"] or len(signs) != 5 or not signs[4].isdigit():
        return None
    return written + int(signs[4]) * (1 if "-" in texts[texts.index("^") :] else -1)
