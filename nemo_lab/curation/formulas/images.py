r"""Formulas that are images: what the text, an attribute or the address of each says.

Services that draw formulas have the TeX in the address (`latex.codecogs.com/png.latex?…`, `…?tex=`), learning
platforms and forums in `alt`, with their own words before it. MathWorld's texts are near AsciiMath. A class that
says `formula` beside a text that is a sentence is an image of a formula which nobody can read.
"""

import contextlib
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from nemo_lab.curation.formulas.asciimath import asciimath_to_latex
from nemo_lab.curation.formulas.formula import LATEX_LOOK, Formula, is_prose, is_tex, parsed, unwrapped
from nemo_lab.curation.formulas.tree import UnreadableError, removed, tag_of

CLASS = re.compile(
    r"(?:^|[\s_-])(?:math|kdmath|arithmatex|tex|latex|formula\w*|equation|mwe-math\S*|eqn?|latexcenter|texrender|mathtype)(?=$|[\s_-])"
    r"|equation_image",
    re.IGNORECASE,
)
_FORMULA_BOX = re.compile(r"(?:^|[\s_-])(?:formula|equation|disp-?formula|math)(?=$|[\s_-])", re.IGNORECASE)
_MATHWORLD = re.compile(r"(?:^|\s)(?:inlineformula|displayformula|numberedequation)(?=$|\s)")
_SERVICE = re.compile(
    r"latex\.php|codecogs|mathtex|mimetex|cht=tx|texrendr|l\.wordpress\.com|/equation\?|[?&](?:math|tex|latex)="
    r"|/equation_images/|upmath\.me|s2cms\.ru|math\.(?:now\.sh|vercel\.app)|tex2img|media/math/render|mathurl\.com/render|numberempire\.com/render",
    re.IGNORECASE,
)
_FOLDER = re.compile(r"/(?:math|tex|latex|latexrender|equations?)/", re.IGNORECASE)
_KEYS = ("latex", "chl", "tex", "eq", "math", "from", "inline", "block")
_IN_PATH = re.compile(r"/equation_images/([^/]+)$|(?:upmath\.me|s2cms\.ru)/(?:svg|png)/(.+)$")
# What services let stand before a formula: size, ground, font. It prints nothing.
_LAYOUT = re.compile(
    r"\s*(?:\\(?:inline|tiny|small|normalsize|large|Large|LARGE|huge|Huge)(?![A-Za-z])"
    r"|\\dpi\s*\{[^{}]*\}|\\(?:bg|fn|fg)_\w+|\\(?:bg|fg|color)\s*\{[^{}]*\}\s*(?=\\|$))\s*"
)
_SAID = re.compile(r"\s*(?:LaTeX|TeX)(?: equation| image)?\s*:\s*|\s*Equation\s*:\s*(?=.*\\)", re.IGNORECASE)
_HABR = re.compile(r"\s*\$(inline|\$display\$)\$(.*)\$(?:inline|\$display\$)\$\s*", re.DOTALL)
_WORDS = re.compile(r"&(space|plus|hash|amp|lt|gt);")
_CHARACTERS = {"space": " ", "plus": "+", "hash": "#", "amp": "&", "lt": "<", "gt": ">"}
_LAZY = ("data-lazy-src", "data-src", "data-original", "data-orig-file", "data-ezsrc", "data-actualsrc")
_WIRIS = str.maketrans("«»¨§", '<>"&')  # how the editor of many course pages writes markup in an attribute
_SOURCES = ("data-equation-content", "data-latex", "data-tex", "data-formula", "data-math", "data-alt", "alt", "title")
_LONGEST_ADDRESS = 10_000


def image_formula(image: Any) -> Formula | None:
    """Return an image's formula when its class, source or text says that it shows one."""
    text, classes, source = text_of(image), image.get("class") or "", address_of(image)
    if "Wirisformula" in classes and image.get("data-mathml"):
        return Formula(parsed(image.get("data-mathml").translate(_WIRIS)), False, "data-mathml")
    if _MATHWORLD.search(classes):
        return Formula(_linear(text), "inlineformula" not in classes, "image")
    if _SERVICE.search(source):
        latex = text if LATEX_LOOK.search(text) and not is_prose(text) else _in_address(source) or text
        return Formula(_cleaned(latex), _is_display(image, latex), "image")
    if not text and _stands_alone(image):
        return Formula("", False, "image")
    if CLASS.search(classes) or image.get("role") == "math" or image.get("eeimg") or is_tex(text):
        return Formula("" if is_prose(text) and not is_tex(text) else _cleaned(text), _is_display(image, text), "image")
    if text and _FOLDER.search(source) and not re.search(r"[A-Za-z]{3}", text):
        return Formula(_cleaned(text), False, "image")
    return None


def _stands_alone(image: Any) -> bool:
    """Return whether what the image stands in is called a formula and holds nothing else but its number."""
    around = next(islice((one for one in image.iterancestors() if tag_of(one) not in ("a", "picture")), 1), None)
    if around is None or not (_FORMULA_BOX.search(around.get("class") or "") or tag_of(around).endswith("-formula")):
        return False
    images = sum(1 for _ in islice(around.iter("img"), 2))
    return images == 1 and re.fullmatch(r"\s*(?:\([\w.-]{1,8}\))?\s*", "".join(around.itertext())) is not None


def text_of(image: Any) -> str:
    """Return what an image says of its formula, without the words that platforms put before it."""
    said = (image.get(name) for name in _SOURCES)
    text = next((one for one in said if one and one.strip() not in ("", "inline", "display")), "")
    if habr := _HABR.fullmatch(text):
        return str(habr[2])
    return _SAID.sub("", text, count=1) if _SAID.match(text) else text


def address_of(image: Any) -> str:
    """Return where an image is, also when it is loaded only on sight; editors link a copy to the page that drew it."""
    source = next((image.get(name) for name in _LAZY if image.get(name)), image.get("src") or "")
    above = image.getparent()
    link = "" if above is None else above.get("href") or ""
    return link if "eqnedit.php?" in link and not _SERVICE.search(source) else source


def _is_display(image: Any, text: str) -> bool:
    classes = image.get("class") or ""
    said = text.strip().startswith(("\\[", "\\begin{displaymath}")) or text.rstrip().endswith("\\\\")
    said = said or image.get("data-tex") == "display"
    return said or "Dsp" in classes or "display" in classes or "latexcenter" in classes or image.get("eeimg") == "2"


def _cleaned(latex: str) -> str:
    r"""Return LaTeX without a service's layout before it and without the `\\` that stands for display."""
    latex = _WORDS.sub(lambda word: _CHARACTERS[word[1]], latex)
    while (found := _LAYOUT.match(latex)) and found.end():
        latex = latex[found.end() :]
    return unwrapped(re.sub(r"\s*(?:\\\\|\\nocache)\s*$", "", latex))


def _linear(text: str) -> str:
    """Return MathWorld's text as LaTeX; newer ones are LaTeX."""
    try:
        return unwrapped(text) if "\\" in text or "{" in text.replace("{", "", 1) else asciimath_to_latex(text, False)
    except UnreadableError:
        return ""


def _in_address(address: str) -> str:
    r"""Return the TeX in an address: `…?latex=`, `…?\\frac{1}{2}`, `chl=`, or its path, coded twice."""
    if len(address) > _LONGEST_ADDRESS:
        return ""
    address = _WORDS.sub(
        lambda word: {"plus": "%2B", "amp": "%26", "hash": "%23"}.get(word[1], _CHARACTERS[word[1]]), address
    )
    parts = _parts_of(address)
    if found := _IN_PATH.search(parts.netloc + parts.path):
        return unquote(unquote(found[1] or found[2]))
    named = dict(parse_qsl(parts.query))
    whole = parts.query + (f"#{parts.fragment}" if parts.fragment else "")
    return next((named[key] for key in _KEYS if key in named), unquote(whole))


def _parts_of(address: str) -> SplitResult:
    """Return an address's parts; of one whose host is none, what stands behind the question mark."""
    with contextlib.suppress(ValueError):
        if "[" not in address.partition("?")[0]:
            return urlsplit(address)
    return urlsplit("?" + address.partition("?")[2])


def drop_copies(root: Any) -> None:
    """Remove what repeats an image's formula: its copy for readers without scripts, its text for screen readers."""
    for copy in list(root.iter("noscript")):
        image = next(copy.iter("img"), None)
        beside = None if image is None else next((one for one in _beside(copy) if _is_image(one)), None)
        if image is not None and beside is not None and _same(image, beside):
            removed(beside if not text_of(beside) and text_of(image) else copy)
    for image in root.iter("img"):
        following = image.getnext()
        shown = "equation_image" in (image.get("class") or "") and following is not None
        if shown and "hidden-readable" in (following.get("class") or ""):
            removed(following)


def _beside(copy: Any) -> Iterator[Any]:
    """Yield the elements directly before and behind, where no text is between."""
    before, behind = copy.getprevious(), copy.getnext()
    if before is not None and not (before.tail or "").strip():
        yield before
    if behind is not None and not (copy.tail or "").strip():
        yield behind


def _is_image(element: Any) -> bool:
    return tag_of(element) == "img"


def _same(image: Any, lazy: Any) -> bool:
    """Return whether two images show one thing: one text, or one address, or a place that waits for it."""
    if text_of(image) and text_of(lazy):
        return text_of(image) == text_of(lazy)
    return address_of(image) == address_of(lazy) or (lazy.get("src") or "data:").startswith("data:")
