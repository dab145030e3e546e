r"""One side of a formula, without signs of relations: from its sums down to its atoms.

The reader takes every token or raises. It knows TeX and the plain notation that models mix with it: sqrt(x), 2*x,
x**2. What has two readings it refuses: `3 4`, `1/2x`, `x^2^3`, `2\frac53`, `\sin x/2`.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy
from sympy import Expr, I, Integer, Rational, Symbol

from nemo_lab.reasoning.questions.formulas.cursor import Cursor, places
from nemo_lab.reasoning.questions.formulas.notation import Token
from nemo_lab.reasoning.questions.formulas.spellings import ACCENTS, FUNCTIONS, GREEK, OTHER_LETTERS
from nemo_lab.reasoning.questions.formulas.units import CURRENCIES, DEGREE, PERCENT, is_unit, unit
from nemo_lab.reasoning.questions.formulas.values import (
    SETS,
    Group,
    Unreadable,
    Value,
    Words,
    applied,
    as_value,
    binomial,
    bracketed,
    decimal,
    factorial,
    finite,
    in_base,
    number,
    power,
    repeating,
    root,
    scalar,
)

MOST_NESTED = 3  # exponents of exponents
OPENING, CLOSING = ("(", "[", "{", "\\{", "\\langle"), (")", "]", "}", "\\}", "\\rangle")
NAMES_OF_FUNCTIONS = ("f", "g", "h", "F", "G", "H", "P", "T", "O", "Theta")
CONSTANTS = {"\\pi": sympy.pi, "\\infty": sympy.oo, "\\imath": I}
LETTERS = {"e": sympy.E, "i": I}
OF_SETS = ("\\cup", "\\cap", "\\setminus", ":")
NO_FACTORS = ("\\pm", "\\mp", *OF_SETS, *CLOSING, "\\rfloor", "\\rceil", "\\end", "\\\\")
BARS = {"|": ("|", sympy.Abs), "\\lfloor": ("\\rfloor", sympy.floor), "\\lceil": ("\\rceil", sympy.ceiling)}
MATRICES = ("matrix", "pmatrix", "bmatrix", "Bmatrix", "smallmatrix", "array")


class Reader:
    """Reads the tokens of one side; `whole` is its only door.

    Args:
        found: the tokens. sign: what a plus-minus stands for, 1 or -1.
    """

    def __init__(self, found: list[Token], sign: int = 1) -> None:
        self._cursor = Cursor(found)
        self._sign = sign
        self._nested = 0  # exponents within exponents
        self._bare = False  # in an exponent without braces
        self._bars = 0  # opened and not closed
        self._units = False  # whether one was read

    def whole(self) -> Value:
        """Return the value of all tokens.

        Raises:
            Unreadable: tokens are left, or it has no single meaning.
        """
        value = self._sets()
        if self._cursor.next():
            raise Unreadable(f"{self._cursor.next()} after a complete formula")
        return scalar(value, places(self._cursor.tokens)) if isinstance(value, Expr) else value

    # --- from sets down to factors

    def _sets(self) -> Expr | Value:
        """A value, or values with signs of sets or of a ratio between them."""
        items, sign = [self._sum()], self._cursor.next()
        is_without = sign == "-" and isinstance(items[0], Words)  # \mathbb{R}-\{0\}
        if sign not in OF_SETS and not is_without:
            return items[0]
        while self._cursor.accept(sign):
            items.append(self._sum())
        return Group("setminus" if is_without else sign.removeprefix("\\"), tuple(map(as_value, items)))

    def _sum(self) -> Expr | Value:
        sign, total = self._plus_minus(), self._product()
        total = sign * number(total) if sign else total
        while isinstance(total, Expr) and (sign := self._plus_minus()):
            sign *= self._plus_minus() or 1
            total = finite(total) + sign * finite(self._product())
        return total

    def _plus_minus(self) -> int:
        sign = {"+": 1, "-": -1, "\\pm": self._sign, "\\mp": -self._sign}.get(self._cursor.next(), 0)
        if sign:
            self._cursor.take()
        return sign

    def _product(self) -> Expr | Value:
        value = self._power()
        while self._cursor.next():
            if self._cursor.accept("*"):
                value = finite(value) * self._factor()
            elif self._cursor.accept("/"):
                value = number(value) / self._factor()
                if self._begins_a_factor() and self._cursor.kind() not in ("words", "upright"):
                    raise Unreadable("a factor after a slash and a divisor, above or below")
            elif self._begins_a_factor():
                value = finite(value) * finite(self._power())
            else:
                break
        return value

    def _factor(self) -> Expr:
        sign = self._plus_minus() or 1
        return sign * finite(self._power())

    def _begins_a_factor(self) -> bool:
        text, kind = self._cursor.next(), self._cursor.kind()
        if kind == "number":
            if self._cursor.last() + self._cursor.next(1) == ")^" or self._cursor.last() == "!":
                return True  # (n-1)2^n, 5!5!
            raise Unreadable("a number after a factor")
        if text in BARS:
            return text != "|" or not self._bars
        if kind == "command":
            return text not in NO_FACTORS
        return kind in ("name", "words", "upright") or text in (*OPENING, *CURRENCIES)

    def _power(self) -> Expr | Value:
        base = self._postfixed(self._atom())
        if self._bare or not self._cursor.accept("^"):
            return base
        return self._postfixed(power(finite(base), self._exponent()))

    def _exponent(self) -> Expr:
        self._nested += 1
        if self._nested > MOST_NESTED:
            raise Unreadable("a tower of exponents")
        bare, self._bare = self._bare, True
        exponent = self._factor()
        if self._cursor.next() == "^":
            raise Unreadable("two exponents")
        self._bare = bare
        self._nested -= 1
        return exponent

    def _postfixed(self, value: Expr | Value) -> Expr | Value:
        while not self._bare and (sign := self._cursor.accept("!", "!!", "%", "°")):
            if sign in "!!":
                value = factorial(number(value), double=sign == "!!")
            else:
                value = number(value) * (PERCENT if sign == "%" else DEGREE)
        return value

    def _atom(self) -> Expr | Value:
        token = self._cursor.take()
        readers = {"number": self._number, "upright": self._upright, "words": self._upright, "name": self._letter}
        reader: Callable[[str], Expr | Value] = readers.get(token.kind, self._sign_or_bracket)
        return (self._command if token.kind == "command" else reader)(token.text)

    # --- numbers

    def _number(self, text: str) -> Expr:
        cursor = self._cursor
        if "." in text and (mark := cursor.accept("\\overline", "\\bar", "\\dot")):
            return repeating(text, cursor.period(mark))
        if "." in text and [cursor.next(), cursor.kind(1), cursor.next(2)] == ["(", "number", ")"]:
            if not text.endswith("."):
                raise Unreadable("a product, or a decimal with digits that are repeated")
            return repeating(text, cursor.argument("(", ")"))
        if cursor.accept("_"):
            return in_base(text, cursor.argument())
        if text.isdigit() and not self._bare and cursor.accept("\\frac"):
            return self._mixed(decimal(text))
        return decimal(text)

    def _mixed(self, whole: Expr) -> Expr:
        r"""3\frac12 is a sum, 3\frac{x}2 a product; 3\frac52 might be either."""
        part = self._fraction()
        if self._cursor.next() in ("^", "!", "!!"):
            raise Unreadable("a power of a fraction, or of it and the number before")
        if not isinstance(part, Rational):
            return whole * part
        if not 0 < part < 1:
            raise Unreadable("a number before a fraction that is none of a mixed number")
        return whole + part

    # --- names

    def _letter(self, letter: str) -> Expr:
        name = letter + self._cursor.index()
        if letter in NAMES_OF_FUNCTIONS and self._cursor.next() == "(":
            return self._function_of_that_name(name)
        return LETTERS.get(name) or Symbol(name)

    def _function_of_that_name(self, name: str) -> Expr:
        self._cursor.take()
        arguments = [number(self._sum())]
        while self._cursor.accept(",", ";"):
            arguments.append(number(self._sum()))
        self._cursor.expect(")")
        return sympy.Function(name)(*arguments)

    def _upright(self, text: str) -> Expr:
        """A unit after a value, else a constant or a variable."""
        before = self._cursor.before()
        after_value = before.kind in ("number", "name", "words", "upright") or before.text in (
            *CLOSING,
            "%",
            "°",
            "\\pi",
        )
        if (after_value or self._units) and is_unit(text):
            self._units = True
            return unit(text)
        if len(text) > 1:
            raise Unreadable(f"the words {text} in a formula")
        return self._letter(text)

    # --- commands

    def _command(self, name: str) -> Expr | Value:
        readers = {"\\frac": self._fraction, "\\sqrt": self._root, "\\binom": self._binomial, "\\begin": self._matrix}
        bare = name.removeprefix("\\")
        if name in readers:
            return readers[name]()
        if name in BARS or name in OPENING:
            return self._sign_or_bracket(name)
        if bare in FUNCTIONS:
            return self._function(bare)
        if name in SETS:
            return Words(name)
        if bare in ACCENTS:
            return Symbol(name + self._cursor.argument())
        if name in CONSTANTS and self._cursor.next() != "_":
            return CONSTANTS[name]
        if bare in GREEK | OTHER_LETTERS:
            return self._letter(bare)
        raise Unreadable(f"the command {name}")

    def _argument(self) -> Expr:
        r"""A braced argument, or one digit or letter: \frac12 is a half."""
        if self._cursor.kind() == "number":
            return decimal(self._cursor.take_digit())
        return number(self._atom())

    def _fraction(self) -> Expr:
        if self._cursor.is_at_a_derivative():
            raise Unreadable("a derivative")
        top = self._argument()
        return finite(top) / finite(self._argument())

    def _binomial(self) -> Expr:
        top = self._argument()
        return binomial(top, self._argument())

    def _root(self) -> Expr:
        degree: Expr = Integer(2)
        if self._cursor.accept("["):
            degree = finite(self._sum())
            self._cursor.expect("]")
        if self._cursor.kind() == "number" and len(self._cursor.next()) > 1:
            raise Unreadable("a root of several digits without braces")
        return root(self._argument(), degree)

    def _function(self, name: str) -> Expr:
        base = self._argument() if self._cursor.accept("_") else None
        exponent = self._exponent() if self._cursor.accept("^") else Integer(1)
        value = self._operand()
        if exponent == -1 and name in ("sin", "cos", "tan", "cot", "sec", "csc"):
            return applied(f"arc{name}", value)
        return power(applied(name, value, base), exponent)

    def _operand(self) -> Expr:
        """What a function is applied to: a bracket, or the factors up to the next function, bracket or sign."""
        cursor = self._cursor
        if cursor.next() in ("(", "[", "{", "|"):
            return number(self._atom())
        value = finite(self._power())
        while cursor.kind() in ("name", "upright") or cursor.next() in (
            "\\frac",
            "\\sqrt",
            *(f"\\{one}" for one in GREEK | OTHER_LETTERS),
        ):
            value = value * finite(self._power())
        if cursor.next() == "/":
            raise Unreadable("a function of one side of a slash, or of both")
        return value

    def _sign_or_bracket(self, sign: str) -> Expr | Value:
        if sign in OPENING:
            return self._bracket(sign)
        if sign in BARS:
            return self._barred(sign)
        if sign in CURRENCIES and not self._units:  # before its number or after
            self._units = True
            before = self._cursor.kind() == "number" or self._cursor.next() == "-"
            return unit(sign) * self._factor() if before else unit(sign)
        if sign == "...":
            return Words("...")
        raise Unreadable(f"{sign} where a value should stand")

    def _barred(self, sign: str) -> Expr:
        end, function = BARS[sign]
        bars, self._bars = self._bars, self._bars + 1 if sign == "|" else 0
        value = number(self._sum())
        self._cursor.expect(end)
        self._bars = bars
        return function(value)

    def _bracket(self, opening: str) -> Expr | Value:
        bars, bare = self._bars, self._bare
        self._bars, self._bare = 0, False
        items = [] if self._cursor.next() in CLOSING else [self._sets()]
        while self._cursor.accept(",", ";"):
            items.append(self._sets())
        closing = self._cursor.expect(*CLOSING)
        self._bars, self._bare = bars, bare
        return bracketed(opening, items, closing)

    def _matrix(self) -> Value:
        name = self._cursor.argument()
        if name not in MATRICES:
            raise Unreadable(f"the environment {name}")
        if name == "array":
            self._cursor.between("{", "}")
        rows: list[list[Value]] = [[]]
        while not self._cursor.accept("\\end"):
            rows[-1].append(as_value(self._sum()))
            if self._cursor.accept("\\\\"):
                rows.append([])
            elif self._cursor.next() != "\\end":
                self._cursor.expect("&")
        if self._cursor.argument() != name:
            raise Unreadable("an environment that ends as another")
        return Group("matrix", tuple(Group("row", tuple(row)) for row in rows if row))
