"""Sets of real numbers."""

import pytest
import sympy
from sympy import Interval, oo

from nemo_lab.reasoning.questions.formulas.reading import read
from nemo_lab.reasoning.questions.formulas.solutions import as_set, is_label


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
    ],
)
def test_sets(text, found):
    assert as_set(read(text)) == found


@pytest.mark.parametrize(
    "text", ["5", "x<y", "x+1<2", "(0,y)", "(1,2,3)", "(i,1)", "Monday", "x<y<2", r"x\in y", r"\mathbb{Z}"]
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
