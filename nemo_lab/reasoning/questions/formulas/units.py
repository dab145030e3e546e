r"""Units and currencies in answers: `5 cm`, `\$5`, `28\%`. Each is a symbol, so that cm^2 and m/s need no more.

An answer with a unit is that of a question that names it, so a bare number and one with a unit may be the same; two
units may not. Nothing is converted: 5 m is not 500 cm here. Words that change the number (5 million, 5 or more) are
no units, and what they are in is not read.
"""

from __future__ import annotations

from sympy import Symbol

PERCENT = Symbol("percent sign")
DEGREE = Symbol("degree sign")
CURRENCIES = "$€£¥₹"
_SAME = {
    "$": "dollar usd bucks",
    "€": "euro eur",
    "£": "gbp",
    "¥": "yen jpy cny yuan rmb",
    "₹": "rupee inr",
    "cent": "cents",
    "m": "meter metre",
    "cm": "centimeter centimetre",
    "mm": "millimeter millimetre",
    "km": "kilometer kilometre",
    "in": "inch inches",
    "ft": "foot feet",
    "mi": "mile",
    "g": "gram",
    "kg": "kilogram kilo",
    "mg": "milligram",
    "lb": "pound lbs",
    "oz": "ounce",
    "s": "second sec secs",
    "min": "minute mins",
    "h": "hour hr hrs",
    "L": "liter litre",
    "mL": "milliliter millilitre ml",
    "day": "days",
    "week": "weeks",
    "month": "months",
    "year": "years",
    "way": "ways",
    "mph": "mph",
    "kph": "kph kmh",
    "N": "newton",
    "J": "joule",
    "W": "watt",
    "V": "volt",
    "Hz": "hertz",
    "K": "kelvin",
    "Pa": "pascal",
    "kPa": "kilopascal",
    "MPa": "megapascal",
    "kW": "kilowatt",
    "kJ": "kilojoule",
    "kHz": "kilohertz",
    "MHz": "megahertz",
    "mol": "mole",
    "rad": "radian",
    "A": "ampere amp",
    "ohm": "Omega",
}
_NAMES = {other: name for name, others in _SAME.items() for other in (name, *others.split())}
_IN_FORMULAS = frozenset(name for name in _NAMES if len(name) > 1) - {"in", "mi", "sec"}
_OF_NUMBERS = """
    hundred thousand million billion trillion dozen half halves third thirds quarter quarters fourths fifths tenths
    hundredths squared cubed doubled or and not no more less least most than if is are approximately about around
    times minus plus divided over power to except otherwise for all where when factorial of wrong with without
    negative positive root mod modulo base score k mn bn unless but either neither nor between at
    one two three four five six seven eight nine ten tens eleven twelve twenty thirty forty fifty sixty seventy eighty
    ninety true false maybe correct incorrect am pm
"""
_NO_UNITS = frozenset(_OF_NUMBERS.split())


def is_unit(text: str, *, plain: bool = False) -> bool:
    """Return whether a word after a number is its unit.

    Args:
        text: the word or words.
        plain: it stands in a formula and not as upright text, where cm could be c times m.
    """
    if text in ("d", "e", "i") or any(word.lower() in _NO_UNITS for word in text.split()):
        return False
    return not plain or len(text) > 4 or any(form in _IN_FORMULAS for form in (text, text.lower(), text.rstrip("s")))


def unit(text: str) -> Symbol:
    """Return the symbol of a unit, the same one for its names and for one and many."""
    word = text if text in _NAMES or _is_symbol(text) else text.lower()
    forms = (word, word.removesuffix("s"), word.removesuffix("es"))
    singular = forms[1] if len(word) > 3 else word
    return Symbol("unit " + next((_NAMES[form] for form in forms if form in _NAMES), singular))


def _is_symbol(text: str) -> bool:
    """Return whether the case of a unit matters: MW is not mW, Mm not mm, but KG is kg."""
    return len(text) < 4 and (text[:1] in "Mm" or text.lower() not in _NAMES)


def is_known(name: str) -> bool:
    """Return whether a letter or a word is itself the sign of a unit: m, N, cm."""
    return name in _NAMES


def is_of_units(symbol: Symbol) -> bool:
    """Return whether a symbol stands for a unit, percent and degree among them."""
    return symbol in (PERCENT, DEGREE) or symbol.name.startswith("unit ")
