"""The language of a block as each highlighter writes it; layouts, themes and natural languages are none."""

# ruff: noqa: E501  markup stays on one line

import pytest

from nemo_lab.curation.pages.code_language import known_languages
from nemo_lab.curation.pages.prepass import prepare
from tests.curation.made_pages import page

LANGUAGES = {
    "Crayon": (
        '<div class="crayon-syntax crayon-theme-classic"><div class="crayon-toolbar"><span class="crayon-title"></span><span class="crayon-language">Python</span></div><div class="crayon-plain-wrap"><textarea class="crayon-plain print-no" readonly>x = 1</textarea></div><div class="crayon-main"><table class="crayon-table"><tr class="crayon-row"><td class="crayon-nums"><div class="crayon-num">1</div></td><td class="crayon-code"><div class="crayon-pre"><div class="crayon-line">x = 1</div></div></td></tr></table></div></div>',
        "python",
    ),
    "ReadMe": (
        '<pre><button aria-label="Copy Code" class="rdmd-code-copy fa"></button><code class="rdmd-code lang-javascript" data-lang="javascript">x = 1</code></pre>',
        "javascript",
    ),
    "mdBook, buttons": (
        '<pre class="playground"><div class="buttons"><button class="clip-button"></button></div><code class="language-rust ignore hljs">x = 1</code></pre>',
        "rust",
    ),
    "Gist": (
        '<div class="blob-wrapper data type-python"><table class="highlight"><tr><td class="blob-num" data-line-number="1"></td><td class="blob-code">x = 1</td></tr><tr><td class="blob-num"></td><td class="blob-code"></td></tr></table></div>',
        "python",
    ),
    "Enlighter": (
        '<div class="enlighter-default enlighter-l-python"><pre class="enlighter-raw">x = 1</pre></div>',
        "python",
    ),
    "Prism": ('<pre class="language-python"><code class="language-python">x = 1</code></pre>', "python"),
    "Prism, with lines": ('<pre class="line-numbers language-css"><code>x = 1</code></pre>', "css"),
    "highlight.js": ('<pre><code class="hljs python">x = 1</code></pre>', "python"),
    "highlight.js 11": ('<pre><code class="hljs language-python" data-highlighted="yes">x = 1</code></pre>', "python"),
    "GitHub": ('<div class="highlight highlight-source-c++ notranslate"><pre>x = 1</pre></div>', "c++"),
    "GitHub, text": ('<div class="highlight highlight-text-html-basic"><pre>x = 1</pre></div>', "html"),
    "GitHub, old": ('<pre lang="python"><code>x = 1</code></pre>', "python"),
    "Sphinx": (
        '<div class="highlight-python3 notranslate"><div class="highlight"><pre><span></span>x = 1</pre></div></div>',
        "python3",
    ),
    "Sphinx, hyphen": (
        '<div class="highlight-emacs-lisp notranslate"><div class="highlight"><pre>x = 1</pre></div></div>',
        "emacs-lisp",
    ),
    "Quarto": (
        '<div class="sourceCode cell-code" id="cb1"><pre class="sourceCode numberSource python number-lines code-with-copy"><code class="sourceCode python"><span id="cb1-1"><a href="#cb1-1"></a>x = 1</span></code></pre></div>',
        "python",
    ),
    "pandoc": (
        '<div class="sourceCode" id="cb1"><pre class="sourceCode r"><code class="sourceCode r">x = 1</code></pre></div>',
        "r",
    ),
    "mdBook": (
        '<pre><pre class="playground"><code class="language-rust ignore editable edition2021">x = 1</code></pre></pre>',
        "rust",
    ),
    "rustdoc": (
        '<div class="example-wrap"><pre class="rust rust-example-rendered"><code>x = 1</code></pre></div>',
        "rust",
    ),
    "Expressive Code": (
        '<div class="expressive-code"><figure><pre data-language="ts"><code><div class="ec-line"><div class="code">x = 1</div></div></code></pre></figure></div>',
        "ts",
    ),
    "Shiki": ('<pre class="shiki github-dark" data-lang="js" tabindex="0"><code>x = 1</code></pre>', "js"),
    "Astro": ('<pre class="astro-code github-dark" data-language="python"><code>x = 1</code></pre>', "python"),
    "rehype-pretty-code": (
        '<figure data-rehype-pretty-code-figure=""><pre data-language="js" data-theme="x"><code data-language="js" style="display:grid"><span data-line="">x = 1</span></code></pre></figure>',
        "js",
    ),
    "VitePress": (
        '<div class="language-js vp-adaptive-theme"><button title="Copy Code" class="copy"></button><span class="lang">js</span><pre class="shiki vp-code"><code>x = 1</code></pre></div>',
        "js",
    ),
    "Hugo": (
        '<div class="highlight"><pre tabindex="0" class="chroma"><code class="language-go" data-lang="go">x = 1</code></pre></div>',
        "go",
    ),
    "Rouge": (
        '<div class="language-ruby highlighter-rouge"><div class="highlight"><pre class="highlight"><code>x = 1</code></pre></div></div>',
        "ruby",
    ),
    "Rouge, table": (
        '<div class="language-ruby highlighter-rouge"><div class="highlight"><pre class="highlight"><code><table class="rouge-table"><tbody><tr><td class="rouge-gutter gl"><pre class="lineno">1\n</pre></td><td class="rouge-code"><pre>x = 1\n</pre></td></tr></tbody></table></code></pre></div></div>',
        "ruby",
    ),
    "Hexo": (
        '<figure class="highlight python"><table><tr><td class="gutter"><pre><span class="line">1</span></pre></td><td class="code"><pre><span class="line">x = 1</span></pre></td></tr></table></figure>',
        "python",
    ),
    "Docusaurus": (
        '<div class="language-bash codeBlockContainer_Ckt0 theme-code-block"><div class="codeBlockContent_biex"><pre class="prism-code language-bash codeBlock_bY9V"><code class="codeBlockLines_e6Vv"><span class="token-line">x = 1<br></span></code></pre></div></div>',
        "bash",
    ),
    "SyntaxHighlighter": ('<pre class="brush: jscript; toolbar: false; notranslate">x = 1</pre>', "jscript"),
    "Confluence": (
        '<pre class="syntaxhighlighter-pre" data-syntaxhighlighter-params="brush: java; gutter: false">x = 1</pre>',
        "java",
    ),
    "EnlighterJS": ('<pre class="EnlighterJSRAW" data-enlighter-language="cpp">x = 1</pre>', "cpp"),
    "Medium": ('<pre data-code-block-mode="2" data-code-block-lang="python"><span>x = 1</span></pre>', "python"),
    "Qiita": (
        '<div class="code-frame" data-lang="rb"><div class="highlight"><pre><code>x = 1</code></pre></div></div>',
        "rb",
    ),
    "GeSHi": ('<div class="geshi"><pre class="php">x = 1</pre></div>', "php"),
    "DokuWiki": ('<pre class="code python">x = 1</pre>', "python"),
    "MediaWiki": (
        '<div class="mw-highlight mw-highlight-lang-python mw-content-ltr" dir="ltr"><pre>x = 1</pre></div>',
        "python",
    ),
    "nbconvert": ('<div class="highlight hl-ipython3"><pre>x = 1</pre></div>', "ipython3"),
    "Org mode": ('<div class="org-src-container"><pre class="src src-emacs-lisp">x = 1</pre></div>', "emacs-lisp"),
    "devsite": (
        '<devsite-code><pre class="devsite-click-to-copy" syntax="Python">x = 1</pre></devsite-code>',
        "python",
    ),
    "Prism, unknown": ('<pre><code class="language-mylang">x = 1</code></pre>', "mylang"),
    "Prism, objective": ('<pre><code class="language-objective-c">x = 1</code></pre>', "objective-c"),
}


@pytest.mark.parametrize("name", LANGUAGES)
def test_the_language_is_what_the_markup_says(name: str) -> None:
    markup, language = LANGUAGES[name]
    (held,) = prepare(page(f"<p>See:</p>{markup}<p>Done.</p>")).shelf.held
    assert (held.language, held.content) == (language, "x = 1")


@pytest.mark.parametrize(
    "markup",
    [
        "<pre>x = 1</pre>",
        '<pre><div class="language-id"></div><code>x = 1</code></pre>',
        '<div class="type-python"><pre>x = 1</pre></div>',
        '<pre class="language-none"><code class="language-plaintext">x = 1</code></pre>',
        '<div class="highlight-default notranslate"><div class="highlight"><pre>x = 1</pre></div></div>',
        '<div class="highlight-lines"><pre class="highlight">x = 1</pre></div>',
        '<body class="lang-en-us"><pre>x = 1</pre></body>',
        '<pre lang="en"><code>x = 1</code></pre>',
        '<pre class="sourceCode numberSource number-lines">x = 1</pre>',
        '<pre class="output">x = 1</pre>',
        '<pre data-lang="plaintext" class="code-block wrap">x = 1</pre>',
    ],
)
def test_what_is_no_language_is_not_taken_for_one(markup: str) -> None:
    (held,) = prepare(page(f"<p>See:</p>{markup}")).shelf.held
    assert held.language == ""


def test_a_label_that_only_names_the_language_goes_and_a_title_stays() -> None:
    block = '<pre class="language-js">x = 1</pre>'
    assert "js" not in prepare(page(f"<div><span>JS</span>{block}</div>")).html.lower().replace("zq", "")
    assert "app.js" in prepare(page(f"<div><span>app.js</span>{block}</div>")).html


def test_known_languages_are_names_and_no_layout() -> None:
    assert {"python", "c++", "js", "rust"} <= known_languages()
    assert not {"code", "line", "wrap", "copy", "block", "highlight"} & known_languages()
