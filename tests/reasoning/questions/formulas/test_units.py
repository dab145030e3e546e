"""Words after a number: units, or words that change it."""

import pytest

from nemo_lab.reasoning.questions.formulas.units import DEGREE, is_known, is_of_units, is_unit, unit


@pytest.mark.parametrize(
    "names",
    [
        ("cm", "centimeter", "centimeters"),
        ("$", "dollars", "USD"),
        ("s", "seconds"),
        ("apple", "apples"),
        ("kg", "KG"),
        ("day", "days"),
    ],
)
def test_names_of_one_unit(names):
    assert len({unit(name) for name in names}) == 1
    assert is_of_units(unit(names[0]))


def test_units_differ():
    names = (
        "cm",
        "mm",
        "m",
        "km",
        "$",
        "€",
        "cents",
        "min",
        "s",
        "h",
        "inches",
        "feet",
        "g",
        "kg",
        "L",
        "MW",
        "mW",
        "Mm",
    )
    assert len({unit(name) for name in names}) == len(names)
    assert DEGREE not in {unit(name) for name in names}


@pytest.mark.parametrize("word", ["million", "dozen", "or more", "percent of", "not", "squared", "Thousand", "pm"])
def test_words_that_change_the_number_are_no_units(word):
    assert not is_unit(word)


@pytest.mark.parametrize(
    ("word", "plain"), [("cm", True), ("apples", True), ("USD", True), ("xy", False), ("m", False), ("in", False)]
)
def test_in_a_formula_only_known_words_are_units(word, plain):
    assert is_unit(word, plain=True) is plain
    assert is_unit(word)


def test_only_signs_and_names_of_units_are_known():
    assert all(map(is_known, ("m", "N", "cm", "mile", "Omega")))
    assert not any(map(is_known, ("x", "y", "e", "i", "n")))
