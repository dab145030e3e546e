r"""What a formula means: its tokens read into numbers, expressions, sets, equations, or refused.

    read(r"3\frac12\,\text{cm}")                        # Scalar(7*cm/2)
    read("x=1 or x=2")                                  # Group('or', (Relation(...), Relation(...)))

The reader takes every token or raises `Unreadable`: computer algebra systems are given to reading a fragment and
dropping the rest, and a reward on a fragment is wrong. What has two readings is refused as well: `3 4`, `x 2`,
`2\frac53`. So sums, integrals and limits are; they can still be the same text. Decimals are read exactly; `places`
keeps how many were written, for numbers that were rounded.

Nothing is evaluated but by sympy's constructors on numbers, and powers and factorials only to `MOST_BITS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import sympy
from sympy import Expr, I, Integer, Rational, Symbol

from nemo_lab.reasoning.questions.notation import FUNCTIONS, GREEK, Token, tokens
from nemo_lab.reasoning.questions.units import DEGREE, PERCENT, is_unit, unit
from nemo_lab.reasoning.questions.wrappers import unwrapped

MOST_BITS = 200_000  # of a power or a factorial that is worked out
MOST_NESTED = 3  # exponents of exponents
NAMES_OF_FUNCTIONS = frozenset("fghFGHPTO")
OPENING, CLOSING = ("(", "[", "{", "\\{"), (")", "]", "}", "\\}")
RELATIONS = ("=", "<", ">", "<=", ">=", "!=", "\\approx", "\\in")
SEPARATORS = (",", ";", "and", "or")
NO_FACTORS = ("\\pm", "\\mp", "\\cup", "\\cap", "\\setminus", "\\rfloor", "\\rceil", "\\end", "\\\\")
SETS = ("\\R", "\\Z", "\\N", "\\Q", "\\C", "\\emptyset")
ACCENTS = ("\\overline", "\\bar", "\\vec", "\\hat", "\\widehat", "\\tilde", "\\dot", "\\ddot", "\\overrightarrow")
CONSTANTS = {"\\pi": sympy.pi, "\\infty": sympy.oo, "\\imath": I}
LETTERS = {"e": sympy.E, "i": I}
BARS = {
    "|": ("|", sympy.Abs),
    "\\lfloor": ("\\rfloor", sympy.floor),
    "\\lceil": ("\\rceil", sympy.ceiling),
}
INVERSE = {"sin": "asin", "cos": "acos", "tan": "atan", "cot": "acot", "sec": "asec", "csc": "acsc"}


class Unreadable(Exception):
    """A formula, or a part of one, that has no single meaning here."""


@dataclass(frozen=True)
class Scalar:
    """A number or an expression with its unit; `places` are its decimals, where it is a decimal as written."""

    value: Expr
    unit: Expr = Integer(1)
    places: int | None = None


@dataclass(frozen=True)
class Group:
    """Several values. Kinds: , and or (a list), {} (a set), () [] (] [) (a tuple or an interval), matrix, row, : cup."""

    kind: str
    items: tuple[Value, ...]


@dataclass(frozen=True)
class Relation:
    """A chain of sides with a sign between each two."""

    signs: tuple[str, ...]
    sides: tuple[Value, ...]


@dataclass(frozen=True)
class Words:
    """A text that is no formula."""

    text: str


Value = Scalar | Group | Relation | Words


def read(text: str) -> Value:
    """Return what an answer means.

    Raises:
        Unreadable: it has no single meaning, or is too large to work out.
    """
    found = _brackets_of_france(tokens(unwrapped(text)))
    parts, signs = _split(found, SEPARATORS)
    values = tuple(_clause(part) for part in parts)
    if len(values) == 1:
        return values[0]
    kind = next((sign for sign in ("or", "and") if sign in signs), ",")
    return Group(kind, values)


def _brackets_of_france(found: list[Token]) -> list[Token]:
    """Return tokens with ]0,1[ written (0,1)."""
    found = list(found)
    if found and found[0].text == "]":
        found[0] = Token("sign", "(")
    if found and found[-1].text == "[":
        found[-1] = Token("sign", ")")
    return found


def _split(found: list[Token], signs: tuple[str, ...]) -> tuple[list[list[Token]], list[str]]:
    """Return the parts between signs outside all brackets, and the signs; an `and` after a comma goes with it."""
    parts: list[list[Token]] = [[]]
    between: list[str] = []
    depth = 0
    for token in found:
        depth += (token.text in (*OPENING, "\\begin")) - (token.text in (*CLOSING, "\\end"))
        if token.text not in signs or depth:
            parts[-1].append(token)
        elif parts[-1] or not between or token.text not in ("and", "or"):
            parts.append([])
            between.append(token.text)
        else:
            between[-1] = token.text
    if depth or not all(parts):
        raise Unreadable("brackets without partners, or nothing between two signs")
    return parts, between


def _clause(found: list[Token]) -> Value:
    """Return one relation or value."""
    parts, signs = _split(found, RELATIONS)
    if not signs:
        return _side(found)
    sides = (_side_or_label(parts[0]), *map(_side, parts[1:]))
    return Relation(tuple(signs), sides)


def _side_or_label(found: list[Token]) -> Value:
    r"""Return the left side of a relation: one that cannot be read is a label, as \angle ABC, if it is all names."""
    try:
        return _side(found)
    except Unreadable:
        if not all(
            token.kind in ("name", "words", "upright") or token.text in ("\\angle", "\\triangle") for token in found
        ):
            raise
        return Words(" ".join(token.text for token in found))


def _side(found: list[Token]) -> Value:
    """Return a value without relation signs; with a plus-minus it is both values."""
    if _are_words(found):
        return Words(" ".join(token.text for token in found))
    both = sum(token.text in ("\\pm", "\\mp") for token in found)
    if both > 1 and not {"\\pm", "\\mp"} <= {token.text for token in found}:
        raise Unreadable("two plus-minus signs")
    values = [Reader(found, sign).whole() for sign in ((1, -1) if both else (1,))]
    return Group("{}", tuple(values)) if both else values[0]


def _are_words(found: list[Token]) -> bool:
    """Return whether tokens are prose: names only, one of them a word; letters and pairs of them are factors."""
    prose = all(token.kind in ("name", "words", "upright") or token.text in "-'" for token in found)
    words = [token.text for token in found if token.kind == "words" or len(token.text) > 2]
    return prose and bool(words) and not any(word[:-1] in FUNCTIONS for word in words)


class Reader:
    """Reads the tokens of one side; `whole` is its only door.

    Args:
        found: the tokens.
        sign: what a plus-minus stands for, 1 or -1.
    """

    def __init__(self, found: list[Token], sign: int = 1) -> None:
        self.tokens = list(_letters(found))
        self.place = 0
        self.sign = sign
        self.nested = 0  # exponents within exponents
        self.bare = False  # in an exponent without braces
        self.bars = 0  # opened and not closed
        self.units = False  # whether one was read

    def whole(self) -> Value:
        """Return the value of all tokens.

        Raises:
            Unreadable: tokens are left, or it is no finite value.
        """
        value = self._sets()
        if self.place < len(self.tokens):
            raise Unreadable(f"{self.tokens[self.place].text} after a complete formula")
        return _scalar(value, self.tokens) if isinstance(value, Expr) else value

    # --- tokens

    def _next(self, ahead: int = 0) -> str:
        return self.tokens[self.place + ahead].text if self.place + ahead < len(self.tokens) else ""

    def _kind(self, ahead: int = 0) -> str:
        return self.tokens[self.place + ahead].kind if self.place + ahead < len(self.tokens) else ""

    def _take(self) -> Token:
        if self.place == len(self.tokens):
            raise Unreadable("the formula stops short")
        self.place += 1
        return self.tokens[self.place - 1]

    def _accept(self, *texts: str) -> str:
        return self._take().text if self._next() in texts and self._next() else ""

    def _expect(self, *texts: str) -> str:
        if self._next() not in texts:
            raise Unreadable(f"{self._next() or 'the end'} instead of {' or '.join(texts)}")
        return self._take().text

    # --- from sets down to atoms

    def _sets(self) -> Expr | Value:
        """value, or values with signs of sets or of a ratio between them."""
        items, sign = [self._sum()], self._next()
        if sign not in ("\\cup", "\\cap", "\\setminus", ":"):
            return items[0]
        while self._accept(sign):
            items.append(self._sum())
        return Group(sign.removeprefix("\\"), tuple(map(_value, items)))

    def _sum(self) -> Expr | Value:
        sign = self._plus_minus() or 1
        total = self._signed(sign, self._product())
        while sign := self._plus_minus():
            sign *= self._plus_minus() or 1
            total = _number(total) + sign * _number(self._product())
        return total

    def _signed(self, sign: int, value: Expr | Value) -> Expr | Value:
        return value if sign == 1 and not isinstance(value, Expr) else sign * _number(value)

    def _plus_minus(self) -> int:
        sign = {"+": 1, "-": -1, "\\pm": self.sign, "\\mp": -self.sign}.get(self._next(), 0)
        if sign:
            self._take()
        return sign

    def _product(self) -> Expr | Value:
        value = self._power()
        while self._next():
            if self._accept("*"):
                value = _finite(value) * self._factor()
            elif self._accept("/"):
                value = _number(value) / self._factor()
                if self._begins_a_factor() and self._kind() not in ("words", "upright"):
                    raise Unreadable("a factor after a slash and a divisor, above or below")
            elif self._begins_a_factor():
                value = _finite(value) * _finite(self._power())
            else:
                break
        return value

    def _factor(self) -> Expr:
        sign = self._plus_minus() or 1
        return sign * _finite(self._power())

    def _begins_a_factor(self) -> bool:
        text, kind = self._next(), self._kind()
        if kind == "number":
            raise Unreadable("a number after a factor")
        if kind in ("name", "words", "upright") or text in ("(", "[", "{", "\\{", "$", "€", "£", "¥", "₹"):
            return True
        if text in BARS:
            return text != "|" or not self.bars
        return kind == "command" and text not in NO_FACTORS

    def _power(self) -> Expr | Value:
        base = self._postfixed(self._atom())
        if self.bare or not self._accept("^"):
            return base
        return self._postfixed(power(_finite(base), self._exponent()))

    def _exponent(self) -> Expr:
        self.nested += 1
        if self.nested > MOST_NESTED:
            raise Unreadable("a tower of exponents")
        bare, self.bare = self.bare, True
        sign = self._plus_minus() or 1
        exponent = sign * _finite(self._power())
        if self._next() == "^":
            raise Unreadable("two exponents")
        self.bare = bare
        self.nested -= 1
        return exponent

    def _postfixed(self, value: Expr | Value) -> Expr | Value:
        while not self.bare and (sign := self._accept("!", "!!", "%", "°")):
            value = _number(value)
            value = value * {"%": PERCENT, "°": DEGREE}[sign] if sign in "%°" else factorial(value, double=sign == "!!")
        return value

    def _atom(self) -> Expr | Value:
        token = self._take()
        if token.kind == "number":
            return self._after_number(token)
        if token.kind == "name":
            return self._letter(token.text)
        if token.kind in ("words", "upright"):
            return self._upright(token)
        if token.kind == "command":
            return self._command(token.text)
        return self._sign(token.text)

    # --- numbers

    def _after_number(self, token: Token) -> Expr:
        number = decimal(token.text)
        if "." in token.text and self._next() in ("\\overline", "\\dot"):
            self._take()
            return self._repeating(token.text, *self._between("{", "}"))
        if token.text.endswith(".") and self._next() == "(" and self._kind(1) == "number":
            self._take()
            return self._repeating(token.text, *self._until(")"))
        if self._next() == "_":
            return self._in_base(token.text)
        if self._next() == "\\frac" and token.text.isdigit() and not self.bare:
            return self._mixed(number)
        return number

    def _repeating(self, start: str, *digits: Token) -> Expr:
        if len(digits) != 1 or not digits[0].text.isdigit():
            raise Unreadable("a repetition of other things than digits")
        places = len(start.partition(".")[2])
        return decimal(start) + Rational(int(digits[0].text), (10 ** len(digits[0].text) - 1) * 10**places)

    def _in_base(self, digits: str) -> Expr:
        self._take()
        base = self._take()
        if base.text == "{":
            (base,) = self._until("}") or (base,)
        if not base.text.isdigit() or not 2 <= int(base.text) <= 36 or not digits.isdigit():
            raise Unreadable("a number with an index that is no base")
        if int(max(digits)) >= int(base.text):
            raise Unreadable("a digit above the base")
        return Integer(int(digits, int(base.text)))

    def _mixed(self, whole: Expr) -> Expr:
        r"""3\frac12 is a sum, 3\frac{x}2 a product; 3\frac52 might be either."""
        part = _number(self._atom())
        if self._next() in ("^", "!", "!!"):
            raise Unreadable("a power of a fraction, or of it and the number before")
        if not isinstance(part, Rational):
            return whole * part
        if not 0 < part < 1:
            raise Unreadable("a number before a fraction that is none of a mixed number")
        return whole + part

    # --- names

    def _letter(self, letter: str) -> Expr:
        name = letter + self._index()
        if letter in NAMES_OF_FUNCTIONS and self._next() == "(":
            return self._applied(name)
        return LETTERS.get(name) or Symbol(name)

    def _index(self) -> str:
        """The index and the primes after a name, as text."""
        name = ""
        while self._next() in ("_", "'"):
            name += self._take().text
            if name.endswith("_"):
                inside = self._between("{", "}") if self._next() == "{" else [self._take()]
                name += "".join(token.text for token in inside)
        return name

    def _applied(self, name: str) -> Expr:
        self._take()
        arguments = [_number(self._sum())]
        while self._accept(",", ";"):
            arguments.append(_number(self._sum()))
        self._expect(")")
        return sympy.Function(name)(*arguments)

    def _upright(self, token: Token) -> Expr:
        """A unit after a value, else a constant or a variable."""
        before = self.tokens[self.place - 2] if self.place > 1 else Token("", "(")
        after_value = before.kind in ("number", "name", "words", "upright") or before.text in (*CLOSING, "%", "\\pi")
        if (after_value or self.units) and is_unit(token.text):
            self.units = True
            return unit(token.text)
        if token.kind == "words":
            raise Unreadable(f"the words {token.text} in a formula")
        return self._letter(token.text)

    # --- commands

    def _command(self, name: str) -> Expr | Value:
        bare = name.removeprefix("\\")
        if name in BARS:
            return self._barred(name)
        if bare in FUNCTIONS:
            return self._function(bare)
        if name in SETS:
            return Words(name)
        if name in ACCENTS:
            return Symbol(name + "".join(token.text for token in self._between("{", "}")))
        reader: dict[str, Callable[[], Expr | Value]] = {
            "\\frac": self._fraction,
            "\\sqrt": self._root,
            "\\binom": self._binomial,
            "\\begin": self._matrix,
        }
        if name in reader:
            return reader[name]()
        if name in CONSTANTS and self._next() != "_":
            return CONSTANTS[name]
        if bare in GREEK:
            return self._applied(bare) if bare == "Theta" and self._next() == "(" else Symbol(bare + self._index())
        raise Unreadable(f"the command {name}")

    def _argument(self) -> Expr:
        r"""A braced argument, or one digit or letter: \frac12 is a half."""
        if self._kind() == "number":
            digits = self._take().text
            if len(digits) > 1:
                self.place -= 1
                self.tokens[self.place : self.place + 1] = [Token("number", digits[0]), Token("number", digits[1:])]
                self.place += 1
            return decimal(digits[0])
        return _number(self._atom())

    def _fraction(self) -> Expr:
        if (
            self._next() == "{"
            and self._next(1) == "d"
            and "d" in [token.text for token in self.tokens[self.place + 2 :]]
        ):
            raise Unreadable("a derivative")
        top = self._argument()
        bottom = self._argument()
        return _finite(top) / _finite(bottom)

    def _binomial(self) -> Expr:
        top, bottom = self._argument(), self._argument()
        if (
            top.is_Integer
            and bottom.is_Integer
            and min(abs(bottom), abs(top - bottom)) * int(top).bit_length() > MOST_BITS / 4
        ):
            raise Unreadable("a large binomial coefficient")
        return sympy.binomial(top, bottom)

    def _root(self) -> Expr:
        degree: Expr = Integer(2)
        if self._accept("["):
            degree = _number(self._sum())
            self._expect("]")
        if self._kind() == "number" and len(self._next()) > 1:
            raise Unreadable("a root of several digits without braces")
        return power(self._argument(), 1 / degree)

    def _function(self, name: str) -> Expr:
        base = self._base() if self._next() == "_" else None
        exponent = self._exponent() if self._accept("^") else Integer(1)
        value = self._operand()
        if exponent == -1 and name in INVERSE:
            return getattr(sympy, INVERSE[name])(value)
        return power(_function(name, value, base), exponent)

    def _base(self) -> Expr:
        self._take()
        return self._argument()

    def _operand(self) -> Expr:
        """What a function is applied to: a bracket, or the factors up to the next function, bracket or sign."""
        if self._next() in ("(", "[", "{", "|"):
            return _number(self._atom())
        value = _number(self._power())
        while (
            self._kind() in ("name", "upright")
            or self._next() in ("\\frac", "\\sqrt", "\\pi", "°")
            or self._next()[1:] in GREEK
        ):
            value = value * _number(self._power())
        if self._next() == "/":
            raise Unreadable("a function of one side of a slash, or of both")
        return value

    # --- brackets

    def _sign(self, sign: str) -> Expr | Value:
        if sign in OPENING:
            return self._bracket(sign)
        if sign == "|":
            return self._barred(sign)
        if sign in "$€£¥₹":
            return self._currency(sign)
        if sign == "...":
            return Words("...")
        raise Unreadable(f"{sign} where a value should stand")

    def _currency(self, sign: str) -> Expr:
        """A sign of currency before or after its number."""
        before = self._kind() == "number" or self._next() == "-"
        return unit(sign) * self._factor() if before else unit(sign)

    def _barred(self, sign: str) -> Expr:
        end, function = BARS[sign]
        bars, self.bars = self.bars, self.bars + 1 if sign == "|" else 0
        value = _number(self._sum())
        self._expect(end)
        self.bars = bars
        return function(value)

    def _bracket(self, opening: str) -> Expr | Value:
        bars, bare = self.bars, self.bare
        self.bars, self.bare = 0, False
        items = [] if self._next() in CLOSING else [self._sets()]
        while self._accept(",", ";"):
            items.append(self._sets())
        closing = self._expect(*CLOSING)
        self.bars, self.bare = bars, bare
        return _bracketed(opening, items, closing)

    def _between(self, opening: str, closing: str) -> list[Token]:
        """The tokens of a group without groups in it."""
        self._expect(opening)
        return self._until(closing)

    def _until(self, closing: str) -> list[Token]:
        inside = []
        while self._next() != closing:
            inside.append(self._take())
        self._take()
        return inside

    def _matrix(self) -> Value:
        name = "".join(token.text for token in self._between("{", "}"))
        if name not in ("matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "array"):
            raise Unreadable(f"the environment {name}")
        if name == "array":
            self._between("{", "}")
        rows = self._rows()
        if "".join(token.text for token in self._between("{", "}")) != name:
            raise Unreadable("an environment that ends as another")
        return Group("matrix", rows)

    def _rows(self) -> tuple[Value, ...]:
        rows, row = [], []
        while not self._accept("\\end"):
            row.append(_value(self._sum()))
            if self._accept("\\\\"):
                rows.append(Group("row", tuple(row)))
                row = []
            elif self._next() != "\\end":
                self._expect("&")
        return (*rows, Group("row", tuple(row))) if row else tuple(rows)


# --- values


def power(base: Expr, exponent: Expr) -> Expr:
    """Return base^exponent, worked out only where the result is of moderate size.

    Raises:
        Unreadable: the result is too large.
    """
    if exponent.is_Rational:
        largest = max((abs(number.p * number.q).bit_length() for number in base.atoms(Rational)), default=1)
        if abs(exponent) * largest > MOST_BITS or abs(exponent.q) > 1000:
            raise Unreadable("a large power")
    return sympy.Pow(base, exponent)


def factorial(value: Expr, *, double: bool = False) -> Expr:
    """Return n! or n!!.

    Raises:
        Unreadable: the result is too large.
    """
    if value.is_number and not (value.is_Integer and abs(value) <= 5000):
        raise Unreadable("a factorial of a large number, or of a fraction")
    return sympy.factorial2(value) if double else sympy.factorial(value)


def decimal(digits: str) -> Rational:
    """Return the exact value of a decimal, with or without an exponent: 1.5e-3."""
    mantissa, _, exponent = digits.lower().partition("e")
    shift = int(exponent or 0)
    if abs(shift) > 5000 or len(digits) > 2000:
        raise Unreadable("a number of too many digits")
    whole, _, places = mantissa.partition(".")
    value = Rational(int(f"{whole}{places}" or "0"), 10 ** len(places))
    return value * Integer(10) ** shift


def _letters(found: list[Token]) -> Iterator[Token]:
    """Yield tokens with names cut into letters, but for units after a value and functions: sinx is sin x."""
    units = False
    for place, token in enumerate(found):
        units = (
            units or token.kind == "words" or (place > 0 and token.kind == "name" and is_unit(token.text, plain=True))
        )
        function = next((name for name in FUNCTIONS | {"sqrt"} if token.text.startswith(name)), "")
        if token.kind != "name" or len(token.text) == 1:
            yield Token("upright", token.text) if units and token.kind == "name" else token
        elif place and is_unit(token.text, plain=True):
            yield Token("words", token.text)
        elif function:
            yield Token("command", f"\\{function}")
            yield from (Token("name", letter) for letter in token.text[len(function) :])
        elif len(token.text) > 4:
            yield Token("words", token.text)
        else:
            yield from (Token("name", letter) for letter in token.text)


def _number(value: Expr | Value) -> Expr:
    """Return a value that can be computed with.

    Raises:
        Unreadable: it is a set, a matrix or the like.
    """
    if not isinstance(value, Expr):
        raise Unreadable("a set where a number should stand")
    return value


def _finite(value: Expr | Value) -> Expr:
    """Return a value that can be multiplied with: 1 over infinity is no number."""
    if _number(value).has(sympy.oo, -sympy.oo):
        raise Unreadable("arithmetic with infinity")
    return _number(value)


def _value(value: Expr | Value) -> Value:
    return _scalar(value, []) if isinstance(value, Expr) else value


def _scalar(value: Expr, found: list[Token]) -> Scalar:
    """Return an expression apart from its unit; percent and degree within it are numbers."""
    if value.has(sympy.nan, sympy.zoo):
        raise Unreadable("no number")
    units = [symbol for symbol in value.free_symbols if symbol in (PERCENT, DEGREE) or symbol.name.startswith("unit ")]
    rest, unit_of_it = value.as_independent(*units, as_Add=False) if units else (value, Integer(1))
    if units and unit_of_it.free_symbols <= set(units) and not unit_of_it.has(sympy.Function, sympy.Add):
        return Scalar(rest, unit_of_it, _places(found))
    value = value.subs({PERCENT: Rational(1, 100), DEGREE: sympy.pi / 180})
    if any(symbol.name.startswith("unit ") for symbol in value.free_symbols):
        raise Unreadable("a unit within a formula")
    return Scalar(value, Integer(1), _places(found))


def _places(found: list[Token]) -> int | None:
    r"""Return the decimals of a side that is one decimal number, 1.5 or 1.5\times10^{-3}, else none."""
    texts = [
        token.text
        for token in found
        if token.text not in ("+", "-", "{", "}") and token.kind not in ("words", "upright")
    ]
    texts = [text for text in texts if text not in ("%", "°", "$", "€", "£", "¥", "₹")]
    if not texts or "." not in texts[0] or texts[0] == "...":
        return None
    mantissa, _, exponent = texts[0].lower().partition("e")
    places = len(mantissa.partition(".")[2]) - int(exponent or 0)
    if len(texts) == 1:
        return places
    if texts[1:4] != ["*", "10", "^"] or len(texts) != 5 or not texts[4].isdigit():
        return None
    return places - int(texts[4]) * (-1 if "-" in [token.text for token in found[3:]] else 1)


def _bracketed(opening: str, items: list[Expr | Value], closing: str) -> Expr | Value:
    """Return a bracket: one value in it is that value, more are a tuple, an interval or a set."""
    braces = {"{": "}", "\\{": "\\}"}
    if braces.get(opening, closing) != closing or (closing in braces.values() and opening not in braces):
        raise Unreadable(f"{opening} closed by {closing}")
    if opening == "\\{" or (opening == "{" and len(items) > 1):
        return Group("{}", tuple(map(_value, items)))
    if len(items) == 1:
        if opening + closing not in ("()", "[]", "{}"):
            raise Unreadable("a bracket round one value, open and closed")
        return items[0]
    if not items:
        raise Unreadable("an empty bracket")
    return Group(opening + closing, tuple(map(_value, items)))


def _function(name: str, value: Expr, base: Expr | None) -> Expr:
    if name in ("log", "lg", "ln"):
        return sympy.log(value) / sympy.log(base or 10) if name != "ln" or base else sympy.log(value)
    if base is not None:
        raise Unreadable(f"a base of {name}")
    name = "a" + name.removeprefix("arc") if name.startswith("arc") else name
    return getattr(sympy, name)(value)
