r"""What an answer means: its tokens read into numbers, expressions, sets, equations, or refused.

    read(r"3\frac12\,\text{cm}")                        # Scalar(7/2, cm)
    read("x=1 or x=2")                                  # Group('or', (Relation(...), Relation(...)))

Every token is read or `Unreadable` is raised: computer algebra systems are given to reading a fragment and dropping
the rest, and a reward on a fragment is wrong. Sums, integrals and limits are not read; two can still be the same text.
Decimals are read exactly.
"""

from __future__ import annotations

from nemo_lab.reasoning.questions.formulas.expressions import CLOSING, OPENING, Reader
from nemo_lab.reasoning.questions.formulas.notation import Token, tokens
from nemo_lab.reasoning.questions.formulas.spellings import FUNCTIONS, PRODUCT
from nemo_lab.reasoning.questions.formulas.values import Group, Relation, Unreadable, Value, Words
from nemo_lab.reasoning.questions.formulas.wrappers import unwrapped

RELATIONS = ("=", "<", ">", "<=", ">=", "!=", "\\approx", "\\in")
SEPARATORS = (",", ";", "and", "or")
MOST_TOKENS = 2000
CALLED = {
    "all real numbers": "\\R",
    "all reals": "\\R",
    "the real numbers": "\\R",
    "empty set": "\\emptyset",
    "the empty set": "\\emptyset",
    "no solution": "\\emptyset",
    "no solutions": "\\emptyset",
}
OF_NAMES = ("name", "words", "upright")


def read(text: str) -> Value:
    """Return what an answer means.

    Raises:
        Unreadable: it has no single meaning, or is too large to work out.
    """
    found = tokens(unwrapped(text))
    if len(found) > MOST_TOKENS:
        raise Unreadable(f"more than {MOST_TOKENS:,} tokens")
    try:
        return _answer(_brackets_of_france(found))
    except (ValueError, OverflowError, RecursionError) as error:  # Python's and sympy's own limits
        raise Unreadable("too large to work out") from error


def _answer(found: list[Token]) -> Value:
    """Return one clause, or a list of them."""
    parts, signs = _split(found, SEPARATORS)
    values = tuple(map(_clause, parts))
    if len(values) == 1:
        return values[0]
    return Group(next((sign for sign in ("or", "and") if sign in signs), ","), values)


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
    return Relation(tuple(signs), (_side_or_label(parts[0]), *map(_side, parts[1:])))


def _side_or_label(found: list[Token]) -> Value:
    r"""Return the left side of a relation: one that cannot be read is a label, as \angle ABC, if it is all names."""
    try:
        return _side(found)
    except Unreadable:
        if not all(token.kind in OF_NAMES or token.text in ("\\angle", "\\triangle") for token in found):
            raise
        return Words(_joined(found))


def _side(found: list[Token]) -> Value:
    """Return a value without relation signs; with a plus-minus it is both values."""
    if built := _built(found):
        return built
    if _are_words(found) or _joined(found).lower() == "no":
        return Words(CALLED.get(_joined(found).lower(), _joined(found)))
    signs = {token.text for token in found} & {"\\pm", "\\mp"}
    if len(signs) == 1 and sum(token.text in signs for token in found) > 1:
        raise Unreadable("two plus-minus signs")
    values = tuple(Reader(found, sign).whole() for sign in ((1, -1) if signs else (1,)))
    if not signs:
        return values[0]
    items = [item for value in values if isinstance(value, Group) and value.kind == "{}" for item in value.items]
    return Group("{}", tuple(items)) if items else Group("pm", values)


def _built(found: list[Token]) -> Group | None:
    """Return {x | x>2} or {x : x>2} as a name and its condition; none where it is another formula."""
    texts = [token.text for token in found]
    sign = next((place for place, text in enumerate(texts) if text in ("|", ":")), 0)
    ends = texts[:1] + texts[-1:]
    if sign < 2 or ends not in (["\\{", "\\}"], ["{", "}"]) or not set(texts[sign:]) & set(RELATIONS):
        return None
    if set(texts[1:-1]) & {"\\{", "\\}"}:  # of several sets
        return None
    return Group("builder", (_clause(found[1:sign]), _answer(found[sign + 1 : -1])))


def _are_words(found: list[Token]) -> bool:
    """Return whether tokens are prose: names only, one of them a word; letters and pairs of them are factors."""
    words = [token.text for token in found if token.kind == "words" or len(token.text) > 2]
    prose = all(token.kind in OF_NAMES or token.text in "-'" for token in found)
    return prose and bool(words) and not any(word[:-1] in FUNCTIONS or PRODUCT.fullmatch(word) for word in words)


def _joined(found: list[Token]) -> str:
    return " ".join(token.text for token in found)
