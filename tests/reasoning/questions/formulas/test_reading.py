"""Answers read into values."""

import pytest
from sympy import Integer

from nemo_lab.reasoning.questions.formulas.reading import read
from nemo_lab.reasoning.questions.formulas.values import Group, Relation, Scalar, Unreadable, Words
from tests.reasoning.questions.hostile import answers


@pytest.mark.parametrize(
    ("text", "kind", "count"),
    [
        ("1, 2", ",", 2),
        ("1; 2; 3", ",", 3),
        ("1 and 2", "and", 2),
        ("1, 2, or 3", "or", 3),
        (r"\{1,2\}", "{}", 2),
        ("(1,2)", "()", 2),
        ("]1,2[", "()", 2),
        ("[1,2[", "[)", 2),
        (r"[0,1)\cup(2,3]", "cup", 2),
        (r"\pm 2", "pm", 2),
        (r"\{1\pm 2, 0\}", "{}", 4),
        ("1:2", ":", 2),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "matrix", 2),
        ("x=1, x=2", ",", 2),
        (r"\{x \mid x>2\}", "builder", 2),
        (r"\{n : n=3k, k\in\mathbb{Z}\}", "builder", 2),
        (r"\{|x|, 2\}", "{}", 2),
        (r"\mathbb{R}-\{0\}", "setminus", 2),
    ],
)
def test_groups(text, kind, count):
    found = read(text)
    assert isinstance(found, Group)
    assert (found.kind, len(found.items)) == (kind, count)


def test_relations():
    found = read(r"1<x\le 2")
    assert isinstance(found, Relation)
    assert found.signs == ("<", "<=")
    assert read(r"\angle ABC=30").sides[0] == Words(r"\angle A B C") or read(r"\angle ABC=30").sides[0] == Words(
        r"\angle ABC"
    )
    assert read("Area = 5").sides == (Words("Area"), Scalar(Integer(5)))


@pytest.mark.parametrize("text", ["Monday", r"\text{no solution}", "Paris", "No"])
def test_words(text):
    assert isinstance(read(text), Words)


@pytest.mark.parametrize(
    "text", ["", "1,,2", ",1", "1=", "=1", "x<", "(1,2", "1)", r"\pm1\pm2", r"x\equiv1", "the 5", "x" * 2001]
)
def test_unreadable(text):
    with pytest.raises(Unreadable):
        read("1," * 2000 if len(text) > 2000 else text)


def test_hostile_answers_are_read_or_refused(tmp_path):
    """What raises anything else would be hidden by the process that compares: it takes every exception for a no."""
    sentinel, other = tmp_path / "sentinel", []
    for text in answers(400, str(sentinel), seed=1):
        try:
            read(text[:300])
        except Unreadable:
            continue
        except Exception as error:
            other.append((text[:300], error))
    assert not other
    assert not sentinel.exists()
