"""Code in the markup of highlighters that put each line into an element of its own, or line numbers beside them."""

# ruff: noqa: E501  markup stays on one line

import pytest

from nemo_lab.curation.pages.placeholders import CODE
from nemo_lab.curation.pages.prepass import prepare
from tests.curation.made_pages import page

SOURCE = "def f(x):\n    return x"
FORMS = {
    "Gitea": '<table><tr><td id="L1" class="lines-num"><span id="L1" data-line-number="1"></span></td><td rel="L1" class="lines-code chroma"><code class="code-inner">def f(x):\n</code></td></tr><tr><td class="lines-num"><span data-line-number="2"></span></td><td class="lines-code chroma"><code class="code-inner">    return x\n</code></td></tr></table>',
    "Gitiles": '<table class="FileContents"><tr class="u-pre u-monospace FileContents-line"><td class="u-lineNum u-noSelect FileContents-lineNum" data-line-number="1"></td><td class="FileContents-lineContents" id="1">def f(x):</td></tr><tr class="u-pre"><td class="u-lineNum FileContents-lineNum"></td><td class="FileContents-lineContents">    return x</td></tr></table>',
    "CodeMirror": '<div class="CodeMirror-code"><div><div class="CodeMirror-gutter-wrapper"><div class="CodeMirror-linenumber">1</div></div><pre class=" CodeMirror-line ">def f(x):</pre></div><div><div class="CodeMirror-linenumber">2</div><pre class=" CodeMirror-line ">    return x</pre></div></div>',
    "CodeMirror, no numbers": '<div class="CodeMirror-code"><pre class="CodeMirror-line">def f(x):</pre><pre class="CodeMirror-line">    return x</pre></div>',
    "Asciidoctor's table": '<pre class="rouge highlight"><code data-lang="python"><table class="linenotable"><tr><td class="linenos gl"><pre class="lineno">1\n2\n</pre></td><td class="code"><pre>def f(x):\n    return x\n</pre></td></tr></table></code></pre>',
    "a bar in the block": '<pre><div class="bar"><div>python</div><div><button>Copy code</button></div></div><div><code>def f(x):\n    return x</code></div></pre>',
    "a bar behind the program": '<pre><code>def f(x):\n    return x</code><span class="icons"><span class="copy-icon"></span><div class="copy-popup"><span>Content copied to clipboard</span></div></span></pre>',
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


NUMBERED = {
    "Org": '<pre class="src"><span class="linenr">1: </span>def f(x):\n<span class="linenr">2: </span>    return x</pre>',
    "beside the block, list": '<div><pre><code>def f(x):\n    return x</code></pre><div class="line-numbers-wrapper"><span class="line-number">1</span><br><span class="line-number">2</span><br></div></div>',
    "beside the block, links": '<div class="line-numbers"><a id="L1" href="#L1">1</a>\n<a href="#L2">2</a></div><pre><code>def f(x):\n    return x</code></pre>',
    "Asciidoctor's callouts": '<pre><code>def f(x): <i class="conum" data-value="1"></i><b>(1)</b>\n    return x</code></pre>',
    "no selection, style": '<pre><code><span style="user-select:none;margin-right:0.4em"> 1</span>def f(x):\n<span style="-webkit-user-select: none"> 2</span>    return x</code></pre>',
    "no selection, class": '<pre><code><span class="select-none opacity-50">1</span>def f(x):\n<span class="select-none opacity-50">2</span>    return x</code></pre>',
    "number in an attribute": '<pre><code><span data-line-number="1">1</span>def f(x):\n<span data-line-number="2">2</span>    return x</code></pre>',
    "line in an attribute": '<pre><code><span data-line="1">def f(x):</span><span data-line="2">    return x</span></code></pre>',
    "Expressive Code": '<pre><code><div class="ec-line"><div class="gutter"><div class="ln" aria-hidden="true">1</div></div><div class="code">def f(x):</div></div><div class="ec-line"><div class="gutter"><div class="ln" aria-hidden="true">2</div></div><div class="code"><span class="indent">    </span>return x</div></div></code></pre>',
    "Docusaurus": '<pre><code><span class="token-line codeLine_lJS_"><span class="codeLineNumber_Tfdd">1</span><span class="codeLineContent_feaV">def f(x):</span><br></span><span class="token-line codeLine_lJS_"><span class="codeLineNumber_Tfdd">2</span><span class="codeLineContent_feaV">    return x</span><br></span></code></pre>',
    "React": '<pre><code style="float:left"><span class="linenumber react-syntax-highlighter-line-number">1\n</span><span class="linenumber react-syntax-highlighter-line-number">2\n</span></code><code>def f(x):\n    return x</code></pre>',
    "Quarto": '<pre class="sourceCode numberSource python number-lines"><code class="sourceCode python"><span id="cb1-1"><a href="#cb1-1" aria-hidden="true" tabindex="-1"></a>def f(x): <a class="code-annotation-anchor">1</a></span>\n<span id="cb1-2"><a href="#cb1-2"></a>    return x</span></code></pre>',
    "Hugo, no classes": '<div class="highlight"><div style="color:#f8f8f2"><table style="border-spacing:0"><tr><td style="vertical-align:top"><pre><code><span style="white-space:pre;user-select:none">1\n</span><span>2\n</span></code></pre></td><td><pre><code>def f(x):\n    return x</code></pre></td></tr></table></div></div>',
    "rows without classes": "<table><tr><td>1</td><td><pre>def f(x):</pre></td></tr><tr><td>2</td><td><pre>    return x</pre></td></tr></table>",
    "rows, attribute": '<table class="js-file-line-container"><tr><td data-line-number="1"></td><td><code>def f(x):</code></td></tr><tr><td data-line-number="2"></td><td><code>    return x</code></td></tr></table>',
    "a code element a line": "<pre><code>def f(x):</code><code>    return x</code></pre>",
    "copy buttons": '<pre><div class="code-copy" role="button">Copy code</div><code>def f(x):\n    return x</code><clipboard-copy>Copy</clipboard-copy><button>Copy</button></pre>',
    "code without pre": '<div><code class="hljs language-python">def f(x):\n    return x</code></div>',
}


@pytest.mark.parametrize("name", NUMBERED)
def test_numbers_of_lines_and_copy_buttons_are_left_out(name: str) -> None:
    prepared = prepare(page(f"<p>See:</p>{NUMBERED[name]}<p>Done.</p>"))
    assert [(held.kind, held.content) for held in prepared.shelf.held] == [(CODE, SOURCE)]


CODE_STAYS = {
    "a prompt before a program": ("<pre>$ <code>ls</code></pre>", "$ ls"),
    "a sign before a program": ("<pre><span>&gt; </span><code>ls</code></pre>", "> ls"),
    "a second program": ("<pre><code>a</code>\n<code>b</code></pre>", "a\nb"),
    "bold in brackets": ("<pre>f<b>(1)</b></pre>", "f(1)"),
    "numbers of a highlighter": (
        '<pre><code><span class="hljs-number">1</span> + <span class="number">2</span></code></pre>',
        "1 + 2",
    ),
    "a line that is a number": '<pre><span class="line">1</span>\n<span class="line">2</span></pre>',
    "prompts": (
        '<pre><span class="gp" style="user-select:none">&gt;&gt;&gt; </span>f(1)\n<span class="select-none">$ </span>ls</pre>',
        ">>> f(1)\n$ ls",
    ),
    "marks of a change": (
        '<pre><span style="user-select:none">-</span>a\n<span style="user-select:none">+</span>b</pre>',
        "-a\n+b",
    ),
    "a function that copies": ('<pre><span class="copy">copy_file</span>()</pre>', "copy_file()"),
    "lines in a list": '<pre><ol class="linenums"><li>1</li><li>2</li></ol></pre>',
}


@pytest.mark.parametrize("name", CODE_STAYS)
def test_what_only_looks_like_numbers_and_buttons_stays(name: str) -> None:
    given = CODE_STAYS[name]
    markup, content = given if isinstance(given, tuple) else (given, "1\n2")
    (held,) = prepare(page(markup)).shelf.held
    assert held.content == content


def test_a_table_of_numbered_commands_is_no_block() -> None:
    table = "<table><tr><td>1</td><td><code>ls</code> lists files</td></tr><tr><td>2</td><td><code>cd</code> goes there</td></tr></table>"
    assert prepare(page(table)).code_blocks == 0


def test_a_block_that_cannot_be_read_is_counted_and_an_empty_one_is_none() -> None:
    lost = prepare(page('<pre><span class="gutter">x = 1</span></pre>'))
    assert (lost.code_blocks, lost.shelf.held) == (1, [])
    for none in (
        "<pre> </pre>",
        '<pre class="a"><span class="lineno">1\n2</span></pre>',
        "<pre><button>Copy</button></pre>",
    ):
        assert prepare(page(none)).code_blocks == 0


def test_numbers_that_are_called_so_stay_where_words_are_among_them() -> None:
    assert "2 of them" in prepare(page('<p class="line-numbers">2 of them</p>')).html


def test_a_formula_that_is_drawn_in_a_block_is_there_once() -> None:
    drawn = '<span class="katex"><span class="katex-mathml"><math><mi>N</mi></math></span><span class="katex-html">N</span></span>'
    (held,) = prepare(
        page(f"<pre><var>{drawn}</var> <var>K</var>\n<math><msub><mi>a</mi><mn>1</mn></msub></math></pre>")
    ).shelf.held
    assert (held.kind, held.content) == (CODE, "N K\na_{1}")
