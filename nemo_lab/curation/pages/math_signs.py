r"""Signs of mathematics in a page's raw markup: a second count beside the formulas that were found.

A formula in markup that the pre-pass does not know is lost without a word, since what is not found is not counted.
So the raw page is counted once more, by other means: a walk over its tags as text, with no tree and no rule of
the pre-pass. It reads no formula; it sees that one stands there, by the name of an element, a class, an attribute, the
source of an image, or delimiters round what looks like mathematics. Pages on which both counts disagree are named
in the report. Code, scripts and `<noscript>` copies do not count; dollars do where no price or variable is meant.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# No alternative crosses a "<", so that the walk stays linear on broken markup.
_ATTRIBUTES = r"""((?:[^<>"']++|"[^"<]*+"|'[^'<]*+'|["'])*+)>?"""
_TAG = re.compile(rf"<(/?)([A-Za-z][\w:-]{{0,40}}){_ATTRIBUTES}")
_COMMENT = re.compile(r"<!--(?!\[if[^\]]*msEquation)(?:(?!-->|<!--).)*+-->", re.DOTALL)
_TAGS = _names(
    "math omath mjx-container mjx-math mathjax tex latex tex-math la-tex math-field math-jax asciimath "
    "amp-mathml inline-formula disp-formula"
)
_SILENT = _names("script style pre code tt kbd samp xmp listing textarea template noscript title")
# what looks like a tag in them is none
_RAW = _names("script style textarea title")
_VOID = _names("img input br hr")
_BLOCKS = _names("p div li ul ol dl dd dt tr td th table h1 h2 h3 h4 h5 h6 br hr section article body")
# no formula goes on behind one of these
_ENDS = _names("p li h1 h2 h3 h4 h5 h6 section article body")

_CLASS = re.compile(
    r"""\bclass\s*=\s*["']?[^"'>]*?(?<![\w-])(?:katex(?:--?(?:display|block|inline))?|mjx-(?:chtml|math)|mjpage\w*|mwe-math-element"""
    r"|ql-formula|latex-rendered|ltx_Math|ltx_eqn_table|arithmatex|(?:inline|display|block)-?math|math-?(?:inline|display|block|tex)"
    r"|math|language-math|mathquill[\w-]*|Wirisformula|tex-(?:block|inline)|latex-(?:block|inline))(?![\w-])",
    re.IGNORECASE,
)
_MATHJAX = re.compile(r"""\bclass\s*=\s*["']?[^"'>]*?(?<![\w-])MathJax(_Preview)?(?!\w*(?:Menu|Message|Hover))""")
_DATA = re.compile(
    r"""\bdata-(?:(?:latex|tex|katex|mathml|asciimath|mathjax|mml-node)\s*=\s*["']?[^\s"'>]"""
    r"""|(?:math|formula|equation|expr|equation-content)\s*=\s*["']?[^"'>]*?[\\^_=])"""
    r"""|\bdata-[a-z-]{0,20}(?:latex|math|formula|equation)[a-z-]{0,20}\s*=\s*["']?[^"'>]*?(?:\\[A-Za-z]{2}|[\^_]\{|\^\d)"""
    r"|persistentExpression|aria-label\s*=[^>]*\\[A-Za-z]{2,}",
    re.IGNORECASE,
)
_IMAGE = re.compile(
    r"latex\.php|codecogs|mathtex|mimetex|cht=tx|/math/render|equation_images|texrendr|wordpress\.com/latex"
    r"|/equations?/[^\"'>]*(?:inline|numbered)"
    r"""|\bclass\s*=\s*["']?[^"'>]*?(?<![\w])(?:tex|latex|math|equation|formula|inlineformula|numberedequation)(?![A-Za-z])"""
    r"""|\b(?:alt|title)\s*=\s*["'][^"'>]*(?:\\[A-Za-z]{2,}|[\^_]\{|\$[^"'$]+\$|\\\()""",
    re.IGNORECASE,
)
# What the attributes of a formula hold in one place or another; looking for these first makes the walk fast.
_HINTS = re.compile(r"ath|[eE][xX]|mj|ltx|quation|ormula|mml|rsist|ht=tx|codecogs|[$\\^]|_\{")
_PAGE_HINTS = _names(r"math mjx mjp ltx formula equation data-expr persist cht=tx codecogs \( \[ $ ##")
_PAGE_HINT = re.compile("tex(?![te])")
_COMMANDS = (
    "frac|dfrac|tfrac|sum|prod|int|oint|iint|sqrt|alpha|beta|gamma|delta|epsilon|varepsilon|theta|lambda|mu|pi|sigma|"
    "phi|varphi|psi|omega|Gamma|Delta|Sigma|Omega|Phi|cdot|cdots|ldots|dots|times|leq?|geq?|neq?|approx|equiv|sim|in|"
    "infty|partial|nabla|to|rightarrow|Rightarrow|mapsto|left|right|mathbb|mathbf|mathcal|mathrm|mathfrak|text|"
    "operatorname|begin|end|hat|bar|vec|tilde|overline|binom|log|ln|sin|cos|tan|exp|lim|max|min|subset|subseteq|cup|"
    "cap|forall|exists|quad|mid|circ|pm|ell|hbar|dagger|langle|rangle|displaystyle|"
    "ll|gg|neg|wedge|vee|otimes|oplus|star|ast|prime|xi|eta|zeta|kappa|nu|rho|tau|chi|Lambda|Theta|Pi|Psi|mathsf|"
    "underline|overset|underset|underbrace|perp|parallel|angle|propto|cong|simeq|setminus|emptyset|det|dim|ker|gcd|"
    "deg|sup|inf|bmod|pmod|mod|div|lfloor|rfloor|lceil|rceil|vert|Vert|iff|implies|therefore|square|boxed"
)
_TEX = re.compile(rf"\\(?:{_COMMANDS})(?![A-Za-z])|\^|_\{{|(?<![\w$])[A-Za-z]_[A-Za-z0-9](?!\w)")
_PLAIN = re.compile(r"[A-Za-z]|\d{1,9}|(?=.*[=<>+*/(-])(?!.*[A-Za-z]{4})[\w\s=+*/()<>,.!|'-]{1,60}", re.DOTALL)
_DELIMITED = re.compile(
    r"\\\((?P<a>(?:(?!\\\()[^\0]){1,2000}?)\\\)|\\\[(?P<b>(?:(?!\\\[)[^\0]){1,4000}?)\\\]"
    r"|\$\$(?P<c>[^$\0]{1,4000})\$\$|\[(?:i?tex|latex|math|katex|eqn)(?:\s[^\]\[\n\0]{0,60})?\](?P<d>[^\[\0]{1,2000})"
    r"|\\begin\{(?:equation|align|flalign|alignat|eqnarray|gather|multline|displaymath|[bBpvV]?matrix|d?cases)\*?\}(?P<e>)"
    r"|(?<![\\$\w])\$(?:latex )?(?P<f>(?!\s)[^$\n\0]{1,300})(?<![\s\\])\$(?![\w$])|##(?P<g>[^#\n\0]{1,500})##"
)
_TICKS = re.compile(r"`([^`\n]{1,200})`")
_SYMBOLS = re.compile("[∑∫∏√∞∂∇∈∉⊂⊆∪∩∀∃⇒⇔≡≅∝ℝℤℕℚℂ]")
_ENTITY = re.compile("&(?:sum|int|prod|radic|infin|part|nabla|isin|sub|sup|cup|cap|forall|exist|equiv|cong|prop|#)")
# Where no hint is written as it stands, what an entity stands for may begin a formula, or be a symbol.
_BEGINS = re.compile(rf"[\\$]|##|\[(?i:i?tex|latex|math|katex|eqn)|{_SYMBOLS.pattern}")
_FEW = 1  # formulas by which the counts may differ on any page
_SHARE = 0.2  # and this part of them


@dataclass(frozen=True)
class Evidence:
    """About how many formulas a page shows signs of, and how many mathematical characters stand in its text."""

    formulas: int = 0
    symbols: int = 0

    def disagrees(self, spans: int, text: str) -> bool:
        """Return whether a text with so many formulas has lost some of them, by this count."""
        if self.formulas:
            return spans == 0 or self.formulas - spans > max(_FEW, _SHARE * self.formulas)
        return spans == 0 and self.symbols > _FEW and 2 * len(_SYMBOLS.findall(text)) < self.symbols


def count(page: str) -> Evidence:
    """Return the signs of mathematics in a page or a piece of one."""
    if not _may_have_signs(page):
        return Evidence()
    kinds: Counter[str] = Counter()
    text = html.unescape("".join(_walk(_COMMENT.sub("", page), kinds)))
    asciimath = "asciimath" in page[:200_000].lower()
    rendered = max(kinds["preview"], kinds["mathjax"], kinds["script"])  # MathJax 2 leaves all three of one formula
    found = sum(_is_formula(one) for one in _DELIMITED.finditer(text))
    found += sum(_is_mathematical(one[1]) for one in _TICKS.finditer(text)) if asciimath else 0
    return Evidence(kinds["element"] + rendered + found, len(_SYMBOLS.findall(text)))


def _may_have_signs(page: str) -> bool:
    lower = page.lower()
    if any(hint in lower for hint in _PAGE_HINTS) or _PAGE_HINT.search(lower) or _SYMBOLS.search(page):
        return True
    return _ENTITY.search(page) is not None and _BEGINS.search(html.unescape(page)) is not None


def in_element(element: Any) -> int:
    """Return about how many formulas an element (lxml) shows signs of."""
    import lxml.etree

    return count(lxml.etree.tostring(element, encoding="unicode", method="html", with_tail=False)).formulas


def _walk(page: str, kinds: Counter[str]) -> Iterator[str]:
    """Yield the page's text outside code and formulas in elements, which are counted in `kinds`."""
    at = 0
    for found in _TAG.finditer(page):
        start, end = found.span()
        if start < at:
            continue  # in an element that was opened
        if at < start:
            yield page[at:start]
        at = end
        name, kind, breaks, opens = _read(found[0])
        if breaks:
            yield "\n"
        if kind:
            kinds[kind] += 1
        if opens:
            at = _behind(name, page, at, kinds)
    yield page[at:]


@lru_cache(8192)  # a page has few tags and has them thousands of times
def _read(tag: str) -> tuple[str, str, bool, bool]:
    """Return a tag's name, what sign of a formula it is, whether it ends a line, and whether no text follows."""
    found = _TAG.match(tag)
    assert found is not None
    name = _name(found)
    if found[1]:
        return name, "", name in _BLOCKS, False
    kind = _kind(name, found[3])
    opens = bool(kind or name in _SILENT) and name not in _VOID and not found[3].endswith("/")
    return name, kind, name in _BLOCKS, opens


def _behind(name: str, page: str, at: int, kinds: Counter[str]) -> int:
    """Return where the text goes on behind the element that was opened; a formula without an end loses its sign."""
    depth = 1
    for found in _tags_in(name).finditer(page, at):
        if _name(found) != name:
            kinds["element"] -= name in _BLOCKS  # it was what holds formulas
            return found.start()
        depth += -1 if found[1] else name not in _RAW
        if not depth:
            return found.end()
    return len(page)


def _name(tag: re.Match[str]) -> str:
    return str(tag[2]).lower().rpartition(":")[2]


@lru_cache(64)
def _tags_in(name: str) -> re.Pattern[str]:
    """Return the tags that matter in an element: its own, and those behind which no formula goes on."""
    names = "|".join([name] if name in _SILENT else [name, *sorted(_ENDS)])
    return re.compile(rf"<(/?)((?:[A-Za-z][\w-]*+:)?(?i:{names})(?![\w:-])){_ATTRIBUTES}")


def _kind(name: str, attributes: str) -> str:
    """Return what sign of a formula a tag is, or an empty string."""
    if name == "script":
        return "script" if re.search(r"""type\s*=\s*["']?math/""", attributes) else ""
    if name in _TAGS:
        return "element"
    if not attributes or name in _SILENT or not _HINTS.search(attributes):
        return ""
    if name == "img":
        return "element" if _IMAGE.search(attributes) or _CLASS.search(attributes) else ""
    if (mathjax := _MATHJAX.search(attributes)) is not None:
        return "preview" if mathjax[1] else "mathjax"
    return "element" if _CLASS.search(attributes) or _DATA.search(attributes) else ""


def _is_formula(found: re.Match[str]) -> bool:
    """Return whether what stands between delimiters looks like mathematics; only TeX does between two dollars signs."""
    if found["e"] is not None:
        return True
    if found["g"] is not None:
        return _TEX.search(found["g"]) is not None
    return _is_mathematical(next(text for text in found.groups() if text is not None))


def _is_mathematical(text: str) -> bool:
    return _TEX.search(text) is not None or _PLAIN.fullmatch(text.strip()) is not None
