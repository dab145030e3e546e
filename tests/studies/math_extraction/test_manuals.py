"""What is held to be true of a page is right on a page whose truth is plain, and nothing of it leaks from the "
"pre-pass."""

import ast
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.errors import LabError
from nemo_lab.studies.math_extraction import manuals as module
from nemo_lab.studies.math_extraction.manuals import MANUALS, Manual, is_aside, known_pages, python_tree, read_page

PAGE = b"""<html><head><title>t</title><script>var s = "hidden";</script></head><body>
<div role="navigation"><ul><li>Home</li><li>The function f</li></ul></div>
<div role="main"><h1>Title<a class="headerlink" href="#">P</a></h1>
<p>Let \\(x_1\\) be a number, and \\(n\\) as well.</p>
<p>The function f is defined for all of them.</p><div class="math">\\[\\frac{a}{b}\\]</div>
<pre>def f(x):
    return <b>x</b></pre><pre>not ( python</pre></div><footer>Made by a tool</footer></body></html>"""


def manual(name: str) -> Manual:
    return next(one for one in MANUALS if one.name == name)


def test_a_page_of_delimiters() -> None:
    page = read_page(manual("flint"), "p.html", PAGE)
    assert page.formulas == ["x_1", r"\frac{a}{b}"], "n alone is too easy to count"
    assert page.code == ["def f(x):\n    return x", "not ( python"]
    assert page.content == ["Title", "The function f is defined for all of them."]
    assert page.chrome == ["Home", "Made by a tool"], "the third stands in the content as well"


def test_images_and_annotations() -> None:
    image = b'<div class="contents"><p>Let <img class="formulaInl" alt="$x^2$" src="a.png"> be.</p></div><img class="formulaInl" alt="$y^2$">'  # noqa: E501
    page = read_page(manual("itpp"), "p", image)
    assert page.formulas == ["x^2"], "the other is outside the content"
    assert page.content == [], "a line with a formula is not compared by words"
    math = b'<body><p>Let <math><mi>x</mi><annotation encoding="application/x-tex">x^2</annotation></math> be.</p><p>Words here.</p>'  # noqa: E501
    page = read_page(manual("giac"), "p", math)
    assert (page.formulas, page.content) == (["x^2"], ["Words here."])


def test_unclosed_elements_do_not_move_the_content() -> None:
    page = read_page(manual("flint"), "p", b'<div role="main"><p>one<p>two<ul><li>three</ul></div><p>out')
    assert (page.content, page.chrome) == (["one", "two", "three"], ["out"])


@pytest.mark.parametrize(
    ("code", "is_python"),
    [
        ("x = 1", True),
        (">>> f(2)\n4\n>>> for i in y:\n...     print(i)\n0", True),
        ("x", False),
        ("3", False),
        ("", False),
        ("f(", False),
    ],
)
def test_python_is_told_from_the_rest(code: str, is_python: bool) -> None:
    assert bool(python_tree(code)) is is_python


def test_the_tree_is_of_the_input_lines() -> None:
    assert python_tree(">>> f(2)\n4") == ast.dump(ast.parse("f(2)"))
    assert python_tree("if a:\n    b()") != python_tree("if a: pass\nb()")


def test_halves_are_halves() -> None:
    assert 400 < sum(is_aside(f"page {number}") for number in range(1000)) < 600


def test_pages_are_chosen_by_hash_and_kept(lab_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    padding = b"<p>" + b"word " * 700
    found = [(f"{n}.html", PAGE + padding) for n in range(12)] + [
        ("small.html", PAGE),
        ("none.html", b"<p>nothing" + padding),
    ]
    monkeypatch.setattr(module, "package", lambda name: Path(name))
    monkeypatch.setattr(module, "members", lambda path, pattern: iter(found))
    one, other = (known_pages(["flint"], 20, aside) for aside in (True, False))
    names = [page.name for page in one + other]
    assert sorted(names) == sorted(f"{n}.html" for n in range(12))
    assert all(page.aside for page in one)
    assert not any(page.aside for page in other)
    monkeypatch.setattr(module, "members", lambda path, pattern: iter(()))
    assert [page.name for page in known_pages(["flint"], 20, True)] == [page.name for page in one], (
        "kept as an artifact"
    )
    with pytest.raises(LabError, match="did you mean 'flint'"):
        known_pages(["flnt"], 1, True)


@given(
    st.lists(
        st.sampled_from(
            [
                "<p>",
                "</p>",
                "<div role='main'>",
                "</div>",
                "<pre>",
                "</pre>",
                "text",
                "\\(x^2\\)",
                "<br>",
                "<script>",
                "&lt;",
            ]
        ),
        max_size=30,
    )
)
def test_any_soup_is_read(pieces: list[str]) -> None:
    page = read_page(manual("flint"), "p", "".join(pieces).encode())
    assert all(formula == "x^2" for formula in page.formulas)
