"""Values that mean the same; the table of pairs in `math_pairs.tsv` holds many more."""

import pytest

from nemo_lab.reasoning.questions.formulas.equality import same_value
from nemo_lab.reasoning.questions.formulas.reading import read


def same(gold: str, given: str) -> bool:
    return same_value(read(gold), read(given))


@pytest.mark.parametrize(
    ("gold", "given"),
    [
        ("5", "x=5"),
        ("5", "2+3=5"),
        ("x=1 or x=2", "2, 1"),
        (r"\{1,1,2\}", "1,2"),
        ("x>5", "5<x"),
        ("-x>1", "x<-1"),
        (r"(-\infty,3)", "x<3"),
        ("1/3", "0.333333"),
        ("28%", "0.28"),
        ("5 cm", "5"),
        ("(x,y)=(1,2)", "(1,2)"),
        (r"\{1\pm\sqrt5,2\}", r"2,1-\sqrt5,1+\sqrt5"),
        (r"\sqrt2", r"\sqrt2\approx1.41"),
        ("Monday", "monday"),
        ("xyz", "x*z*y"),
        ("a:b=2:3", "2:3"),
        (r"\{x \mid x>2\}", r"(2,\infty)"),
        (r"x\ne0,1", r"x\ne1 and x\ne0"),
    ],
)
def test_the_same_both_ways(gold, given):
    assert same(gold, given)
    assert same(given, gold)


@pytest.mark.parametrize(
    ("gold", "given"),
    [
        ("5", "6=5"),
        ("5", "x=6"),
        ("x=5", "y=5"),
        ("1,2", "1,1,2"),
        ("x>5", "x<5"),
        ("x>5", r"x\ge5"),
        ("x<0 or x>1", "x<0 and x>1"),
        ("1/3", "0.3333"),
        ("1.234567", "1.234568"),
        ("5 cm", "5 m"),
        ("5%", "0.5"),
        ("(1,2)", "(2,1)"),
        ("x=1,y=2", "1,2"),
        ("3", r"3\approx5"),
        ("ABC", "abc"),
        ("1, 2, ...", "2, 1, ..."),
        ("xyz", "xy"),
        ("x=1 or y=2", "x=1, y=2"),
        ("red", "5"),
        (r"x\in(2,\infty)", "y>2"),
        ("x<0 or x>1", r"y\in(-\infty,0)\cup(1,\infty)"),
        (r"\{\emptyset\}", r"\emptyset"),
        (r"\{\{1\},\{2\}\}", r"\{1,2\}"),
        (r"\{\{1,2\},\{3\}\}", r"\{\{1\},\{2,3\}\}"),
        (r"\{\{1\}\}", r"\{1\}"),
    ],
)
def test_different_both_ways(gold, given):
    assert not same(gold, given)
    assert not same(given, gold)


def test_the_gold_answer_decides_what_an_ambiguous_one_may_be():
    assert same("1<x<2", "(1,2)")
    assert not same("(1,2)", "1<x<2")
    assert same("(1,2)", "1,2")
    assert not same("1,2", "(1,2)")
    assert not same("(1,2)", "2,1")
