"""Sets of real numbers."""

import pytest
import sympy
from sympy import Interval, oo

from nemo_lab.reasoning.questions.formulas.reading import read
from nemo_lab.reasoning.questions.formulas.solutions import as_set, is_label, labels


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[0,1)", Interval.Ropen(0, 1)),
        ("x<3", Interval.open(-oo, 3)),
        (r"3\ge x", Interval(-oo, 3)),
        (r"0<x\le1", Interval.Lopen(0, 1)),
        ("x<0 or x>1", sympy.Union(Interval.open(-oo, 0), Interval.open(1, oo))),
        ("x>0 and x<1", Interval.open(0, 1)),
        (r"[0,1]\cup[1,2]", Interval(0, 2)),
        (r"\mathbb{R}\setminus\{3\}", sympy.Complement(sympy.S.Reals, sympy.FiniteSet(3))),
        (r"x\ne3", sympy.Complement(sympy.S.Reals, sympy.FiniteSet(3))),
        (r"x\in[0,1]", Interval(0, 1)),
        (r"\emptyset", sympy.S.EmptySet),
        (r"\{x \mid x>0\}", Interval.open(0, oo)),
        (r"\{x : x>0, x\le 2\}", Interval.Lopen(0, 2)),
        (r"\{x \in \mathbb{R} \mid 0\le x<1\}", Interval.Ropen(0, 1)),
        (r"\mathbb{R}-\{3\}", sympy.Complement(sympy.S.Reals, sympy.FiniteSet(3))),
    ],
)
def test_sets(text, found):
    assert as_set(read(text)) == found


@pytest.mark.parametrize(
    "text",
    [
        *(
            "5",
            "(2,1)",
            "x<y",
            "x+1<2",
            "(0,y)",
            "(1,2,3)",
            "(i,1)",
            "Monday",
            "x<y<2",
            r"x\in y",
            r"\mathbb{Z}",
            "x<0 or y>1",
        ),
        *(r"\{x \mid y>0\}", r"\{x \in \mathbb{Z} \mid x>0\}", r"\{(x,y) : x>y\}"),
    ],
)
def test_no_sets_of_real_numbers(text):
    assert as_set(read(text)) is None


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("x", True),
        ("f(2)", True),
        ("AB", True),
        ("x+y", True),
        ("(x,y)", True),
        ("area", True),
        ("2x", False),
        ("x^2", False),
        ("5", False),
    ],
)
def test_labels(text, label):
    assert is_label(read(text)) is label


def test_labels_are_those_of_relations_but_not_of_a_set():
    assert len(labels(read("x<0 or x>1"))) == 1
    assert len(labels(read("x<0 or y>1"))) == 2
    assert not labels(read(r"\{x \mid x>1\}")) | labels(read("(0,1)"))
