"""What stands between delimiters is a formula where a page's scripts or its content say so, and a price is none."""

import time

import pytest

from nemo_lab.curation.formulas.delimiters import declared, hold_text_math, is_open
from nemo_lab.curation.pages.prepass import prepare
from tests.curation.made_pages import page


def held(body: str) -> list[tuple[str, str]]:
    return [(one.kind, one.content) for one in prepare(page(body)).shelf.held]


def config(text: str) -> str:
    return f'<script type="text/x-mathjax-config">MathJax.Hub.Config({{{text}}});</script>'


TEXTS = {
    "Codeforces": (r"of $$$n$$$ integers ($$$1 \le n \le 10^5$$$)", [("i", "n"), ("i", r"1 \le n \le 10^5")]),
    "Codeforces, a difference": ("at most $$$n - 1$$$ moves", [("i", "n - 1")]),
    "Codeforces, words": (r"strings $$$\texttt{RL}$$$ and $$$ab$$$", [("i", r"\texttt{RL}"), ("i", "ab")]),
    "Codeforces, display": (r"find $$$$$$\sum_{i=1}^{n} a_i$$$$$$ now", [("d", r"\sum_{i=1}^{n} a_i")]),
    "PhysicsForums": (r"for ##v \ll c## and ##E=mc^2## and ## x ##", [("i", r"v \ll c"), ("i", "E=mc^2"), ("i", "x")]),
    "PhysicsForums, display": (r"so $$E \approx mc^2$$ as", [("d", r"E \approx mc^2")]),
    "forum tags of any case": (
        "[MATH]x^2[/MATH] [TEX]y[/TEX] [IMATH]z[/IMATH]",
        [("i", "x^2"), ("i", "y"), ("i", "z")],
    ),
    "environments of any kind": (
        r"so \begin{flalign} f&amp;=g\end{flalign} and \begin{math}u^2\end{math}",
        [("d", r"\begin{aligned} f&=g\end{aligned}"), ("i", "u^2")],
    ),
    "a matrix in the text": (
        r"A = \begin{pmatrix}1&amp;2\\3&amp;4\end{pmatrix} is",
        [("d", r"\begin{pmatrix}1&2\\3&4\end{pmatrix}")],
    ),
    "a matrix in a formula": (
        r"\[\begin{pmatrix}1\end{pmatrix}\] \begin{align}\begin{cases}a\end{cases}\end{align}",
        [("d", r"\begin{pmatrix}1\end{pmatrix}"), ("d", r"\begin{aligned}\begin{cases}a\end{cases}\end{aligned}")],
    ),
    "environments that are none": (r"\begin{tabular}{c}1\end{tabular} \begin{itemize}a\end{itemize}", []),
    "tags that say more": (
        '[katex]k[/katex] [latex display="true"]v^2[/latex] [math size=3]q[/math] [eqn]e[/eqn] [math rocks] [/math',
        [("i", "k"), ("d", "v^2"), ("i", "q"), ("i", "e")],
    ),
    "WordPress, colours": (
        r"$latex \frac{a}{b}&amp;bg=ffffff&amp;fg=000&amp;s=2$ and $a&amp;s$",
        [("i", r"\frac{a}{b}")],
    ),
    "forum tags over lines": (
        "so [itex]<br>\n a =<br>\n b<br>\n[/itex]<br>and [tex]c[/tex]<br>but [tex] alone<br>is none",
        [("i", "a = b"), ("i", "c")],
    ),
    "edX": ("[mathjaxinline]x_1[/mathjaxinline] and [mathjax]y[/mathjax]", [("i", "x_1"), ("i", "y")]),
    "display without a command": (
        "$$ x + y $$ and $$n$$ and $$speed = s / t$$",
        [("d", "x + y"), ("d", "n"), ("d", "speed = s / t")],
    ),
}


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name: str) -> None:
    text, formulas = TEXTS[name]
    assert held(f"<p>{text}</p>") == formulas


DECLARED = {
    "dollars": (
        "tex2jax: {inlineMath: [['$','$'], ['\\\\(','\\\\)']]}",
        "Take $n - 1$ of $(a, b)$.",
        ["n - 1", "(a, b)"],
    ),
    "hashes": ("tex2jax: {inlineMath: [['##','##']], displayMath: [['$$','$$']]}", "So ##a b## holds.", ["a b"]),
    "at signs": ('"tex2jax": {"inlineMath": [["@","@"]]}', "So @x^2@; mail me@you.com or @home.", ["x^2"]),
    "tags": ("tex: {inlineMath: [['{{','}}']]}", "So {{x+1}} holds.", ["x+1"]),
    "KaTeX's": (
        'delimiters: [{left: "$$", right: "$$", display: true}, {left: "%%", right: "%%", display: false}]',
        "So %%x+1%% at 5%.",
        ["x+1"],
    ),
    "Asciidoctor's": (
        'asciimath2jax: { delimiters: [["\\\\$", "\\\\$"]] }',
        r"So \$sqrt(4) = 2\$ holds.",
        [r"\sqrt{4}=2"],
    ),
    "backticks": (
        'extensions: ["tex2jax.js","asciimath2jax.js"]',
        "So `x^2/3` and run `npm install`.",
        [r"\frac{x^{2}}{3}"],
    ),
}


@pytest.mark.parametrize("name", DECLARED)
def test_what_a_page_declares(name: str) -> None:
    configured, text, formulas = DECLARED[name]
    assert [latex for _, latex in held(f"{config(configured)}<p>{text}</p>")] == formulas


@pytest.mark.parametrize(
    "script",
    [
        'src="https://cdn.mathjax.org/MathJax.js?config=TeX-MML-AM_CHTML"',
        'src="js/ASCIIMathML.js"',
        'src="javascript/ASCIIMathMLwFallback.js"',
        'src="mathjax/input/asciimath.js"',
    ],
)
def test_scripts_that_read_asciimath(script: str) -> None:
    assert held(f"<script {script}></script><p>So `sum_(i=1)^n i`.</p>") == [("i", r"\sum_{i=1}^{n}i")]


def test_a_page_that_declares_nothing_keeps_its_backticks_and_its_signs() -> None:
    assert held("<p>So `x^2` and @x^2@ and %%x%% and $n - 1$.</p>") == []


@pytest.mark.parametrize("dollars", [False, True])
@pytest.mark.parametrize(
    "text",
    [
        "from $5 to $10 a day",
        "$HOME and $PATH",
        "a cost of $3.50, then $4",
        "<code>$x$</code>",
        "<pre>\\(x\\)</pre>",
        "US$100, $1,000-$2,000, A$ and B$ here",
        "the pid is $$ and kill $$ ends it",
        "echo $$; ps $$",
        "pid=$$; kill -9 $$",
        "In PHP $$var = $$other",
        "use $$PATH and $$HOME in a makefile",
        "AS $$ SELECT a = 1 $$ language",
        "$$$ • Italian • $$$ and $ to $$$",
        "## A heading ## and ## Step two ##",
        "## Heading ##",
        "the macro a##b and foo##a = 1##bar",
        "<pre># x ## y = 1 ##</pre>",
        "<code>##x##</code>",
        "C# is ## not ## F#",
    ],
)
def test_prices_shells_headings_and_code_are_no_formulas(text: str, dollars: bool) -> None:
    script = config("tex2jax: {inlineMath: [['$','$']]}") if dollars else ""
    assert prepare(page(f"{script}<p>{text}</p>")).math_nodes == 0


def test_a_formula_in_asciimath_that_cannot_be_read_is_counted_and_marked() -> None:
    prepared = prepare(page(f'<script src="ASCIIMathML.js"></script><p>So `{"(" * 100}x` is.</p>'))
    assert (prepared.math_nodes, prepared.shelf.held) == (1, [])
    assert "So [formula] is." in prepared.html


def test_open_displays_and_the_empty_configuration() -> None:
    assert is_open("$$x")
    assert is_open(r"\[x")
    assert not is_open("$$x$$")
    assert hold_text_math("no sign", lambda latex, display: "?") == "no sign"
    import lxml.html

    assert declared(lxml.html.fromstring("<p>x</p>")).pairs == ()


@pytest.mark.parametrize(
    "text",
    ["$$$ a ", "$$$$$$a", "$$ a ", "## a ", "`x ", "@@ a ", "(( ", "\\$x"],
)
def test_many_openers_cost_no_more_than_their_number(text: str) -> None:
    script = config("tex2jax:{inlineMath:[['@@','@@'],['((','))']]}, asciimath2jax: {delimiters: [['`','`']]}")
    start = time.process_time()
    prepare(page(f"{script}<p>{text * 20_000}</p>"))
    assert time.process_time() - start < 10
