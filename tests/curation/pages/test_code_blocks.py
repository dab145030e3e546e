"""Code in the markup of highlighters that put each line into an element of its own, or line numbers beside them."""

# ruff: noqa: E501  markup stays on one line

import pytest

from nemo_lab.curation.pages.placeholders import CODE
from nemo_lab.curation.pages.prepass import prepare
from tests.curation.made_pages import page

SOURCE = "def f(x):\n    return x"
FORMS = {
    "Doxygen": '<div class="fragment"><div class="line"><span class="lineno">    1</span>&#160;def f(x):</div>\n<div class="line"><span class="lineno">    2</span>&#160;    return x<div class="ttc">tip</div></div>\n</div>',
    "lines in pre": '<pre><div class="line">def f(x):</div><div class="line">    return x</div></pre>',
    "list in pre": '<pre class="prettyprint"><ol class="linenums"><li>def f(x):</li><li>    return x</li></ol></pre>',
    "GeSHi": '<div class="geshi"><ol><li><div class="de1">def f(x):</div></li><li><div class="de1">&nbsp; &nbsp; return x</div></li></ol></div>',
    "SyntaxHighlighter": '<div class="syntaxhighlighter"><table><tr><td class="gutter"><div class="line number1">1</div><div class="line number2">2</div></td><td class="code"><div class="container"><div class="line number1"><code>def</code> <code>f(x):</code></div><div class="line number2"><code>&nbsp;&nbsp;&nbsp;&nbsp;</code><code>return x</code></div></div></td></tr></table></div>',
    "Hexo": '<figure class="highlight"><table><tr><td class="gutter"><pre><span class="line">1</span><br><span class="line">2</span><br></pre></td><td class="code"><pre><span class="line">def f(x):</span><br><span class="line">    return x</span><br></pre></td></tr></table></figure>',
    "Chroma": '<table class="lntable"><tr><td class="lntd"><pre><code><span class="lnt">1\n</span><span class="lnt">2\n</span></code></pre></td><td class="lntd"><pre><code>def f(x):\n    return x</code></pre></td></tr></table>',
    "Chroma, in line": '<pre class="chroma"><code><span class="line"><span class="ln">1</span><span class="cl">def f(x):\n</span></span><span class="line"><span class="ln">2</span><span class="cl">    return x\n</span></span></code></pre>',
    "highlight.js": '<pre><code><table class="hljs-ln"><tr><td class="hljs-ln-line hljs-ln-numbers"></td><td class="hljs-ln-line hljs-ln-code">def f(x):</td></tr><tr><td class="hljs-ln-line hljs-ln-numbers"></td><td class="hljs-ln-line hljs-ln-code">    return x</td></tr></table></code></pre>',
}


@pytest.mark.parametrize("name", FORMS)
def test_lines_in_elements_of_their_own_are_one_block(name: str) -> None:
    prepared = prepare(page(f"<p>See:</p>{FORMS[name]}<p>Done.</p>"))
    assert [(held.kind, held.content) for held in prepared.shelf.held] == [(CODE, SOURCE)]


def test_a_blank_line_of_a_table_is_one_blank_line() -> None:
    cells = "".join(
        f'<tr><td class="blob-num"></td><td class="blob-code">{line}</td></tr>' for line in ("a = 1", "\n", "b = 2")
    )
    (held,) = prepare(page(f'<table class="highlight">{cells}</table>')).shelf.held
    assert held.content == "a = 1\n\nb = 2"


def test_verse_and_lists_of_prose_are_no_code() -> None:
    verse = (
        '<div class="line-block"><div class="line">The rose is red;</div><div class="line">the violet: blue</div></div>'
    )
    prose = '<div class="text"><div class="line">One sentence.</div><div class="line">Another one.</div></div><ol><li>Mix (well).</li></ol>'
    assert prepare(page(verse + prose)).code_blocks == 0


@pytest.mark.parametrize(
    ("named", "language"), [("mw-highlight-lang-python", "python"), ("lang-auto", ""), ("highlight-source-c", "c")]
)
def test_the_language_is_what_the_page_says(named: str, language: str) -> None:
    (held,) = prepare(page(f'<div class="{named}"><pre>x = 1</pre></div>')).shelf.held
    assert held.language == language
