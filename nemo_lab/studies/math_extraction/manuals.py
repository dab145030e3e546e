r"""Real pages whose formulas, code and content are known: six mathematical manuals out of Debian packages.

Each manual keeps its TeX in the page in one form (MathJax delimiters, image texts, MathML annotations), and its
generator marks where the content is, so that truth can be read off by rules that know the manual. These rules
share nothing with what they judge: they read the page as a stream of events with Python's own `html.parser`,
while the pre-pass works on lxml's tree and knows no manual by name.

Half of the pages are set aside, by a hash of their names: the pre-pass was tuned on the other half only.
"""

import ast
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nemo_lab.artifacts import artifact
from nemo_lab.corpora.packages.archives import members
from nemo_lab.corpora.packages.fetch import package
from nemo_lab.errors import LabError, one_of

_VOID = frozenset(
    ("br", "img", "hr", "meta", "link", "input", "col", "area", "base", "wbr", "embed", "source", "param")
)
_BLOCKS = frozenset(
    (
        "p",
        "div",
        "li",
        "dd",
        "dt",
        "tr",
        "td",
        "th",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "pre",
        "ul",
        "ol",
        "dl",
        "table",
        "section",
        "article",
        "nav",
        "footer",
        "header",
        "aside",
        "blockquote",
        "br",
        "body",
        "main",
        "form",
        "label",
    )
)
_SILENT = frozenset(("script", "style", "head", "title", "svg", "button", "template"))
_DELIMITED = re.compile(r"\\\((.+?)\\\)|\\\[(.+?)\\\]", re.DOTALL)
_PAGES = pa.schema([("name", pa.string()), ("html", pa.binary())])
_SMALLEST, _LARGEST = 3000, 1_000_000  # bytes of a page
_WORDS = re.compile(r"\w+")
_HARD = re.compile(r"[\\^_]")
Match = Callable[[str, dict[str, str]], bool]


@dataclass(frozen=True)
class Manual:
    """A manual: its package, which pages, in which form its formulas are, and where its content stands."""

    name: str
    package: str
    pattern: str
    form: str  # delimiters, image or annotation
    content: Match
    chrome: Match = lambda tag, attributes: False
    python: bool = False


@dataclass
class KnownPage:
    """A page and what is true of it.

    Attributes:
        formulas: the LaTeX of its content's formulas that hold a command or a script, in order.
        code: its content's preformatted blocks.
        content, chrome: lines of content and of navigation, without formulas and code.
        python: whether the manual's code is Python; `gap> x;` parses as a comparison and is none.
    """

    manual: str
    name: str
    html: bytes
    formulas: list[str] = field(default_factory=list)
    code: list[str] = field(default_factory=list)
    content: list[str] = field(default_factory=list)
    chrome: list[str] = field(default_factory=list)
    python: bool = False

    @property
    def aside(self) -> bool:
        """Whether the page is among those that tuning did not see."""
        return is_aside(f"{self.manual}/{self.name}")


def is_aside(name: str) -> bool:
    """Return whether this page or formula is set aside: one half, by a hash."""
    return hashlib.sha256(name.encode()).digest()[0] % 2 == 1


def _with(key: str, *values: str) -> Match:
    return lambda tag, attributes: bool(set((attributes.get(key) or "").split()) & set(values))


def _tags(*names: str) -> Match:
    return lambda tag, attributes: tag in names


_LINKS = _with("class", "headerlink", "viewcode-link")
MANUALS = (
    Manual("flint", "libflint-doc", "*/html/*.html", "delimiters", _with("role", "main"), _LINKS),
    Manual("mpmath", "python-mpmath-doc", "*/html/*.html", "delimiters", _with("role", "main"), _LINKS, python=True),
    Manual("sympy", "python-sympy-doc", "*/html/modules/*.html", "image", _with("role", "main"), _LINKS, python=True),
    Manual(
        "gap",
        "gap-doc",
        "*/ref/chap*_mj.html",
        "delimiters",
        _tags("body"),
        _with(
            "class", "chlinktop", "chlinkprevnexttop", "chlinkprevnextbot", "chlinkbot", "ContChap", "pcenter", "foot"
        ),
    ),
    Manual("giac", "giac-doc", "*/giac/doc/[ak][lh]*[ew].html", "annotation", _tags("body"), _tags("nav")),
    Manual(
        "itpp",
        "libitpp-doc",
        "*/html/group__*.html",
        "image",
        _with("class", "contents", "headertitle"),
        _with("class", "navpath"),
    ),
    Manual(
        "python", "python3.11-doc", "*/html/library/*.html", "delimiters", _with("role", "main"), _LINKS, python=True
    ),
)


class _Reader(HTMLParser):
    """One pass over a page: blocks of text with where they stand, formulas and code."""

    def __init__(self, manual: Manual) -> None:
        super().__init__(convert_charrefs=True)
        self.manual = manual
        self.open: list[tuple[str, str]] = []  # tag, and what it opens: content, chrome, silent, pre, annotation
        self.text: list[str] = []
        self.formula_here = False
        self.page = KnownPage(manual.name, "", b"")

    def _inside(self, kind: str) -> bool:
        return any(opened == kind for _, opened in self.open)

    def _where(self) -> str:
        """Return content, chrome or silent, by the innermost element that says."""
        return next((kind for _, kind in reversed(self.open) if kind in ("content", "chrome", "silent")), "chrome")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter an element."""
        attributes = {name: value or "" for name, value in attrs}
        if tag in _BLOCKS and not self._inside("pre"):
            self._flush()
        if tag == "img" and self.manual.form == "image":
            self._image(attributes)
        if tag in _VOID:
            if tag == "br":
                self.text.append("\n")
            return
        self.open.append((tag, self._opens(tag, attributes)))

    def _opens(self, tag: str, attributes: dict[str, str]) -> str:
        if tag in _SILENT or "display:none" in attributes.get("style", "").replace(" ", ""):
            return "silent"
        if tag == "annotation":
            return "annotation"
        if tag == "math":
            self.formula_here = True
            return "silent"
        if self.manual.chrome(tag, attributes):
            return "silent" if tag in ("a", "span") else "chrome"
        return "content" if self.manual.content(tag, attributes) else "pre" if tag == "pre" else ""

    def handle_endtag(self, tag: str) -> None:
        """Leave an element, and those inside it that were not closed."""
        if tag not in {opened for opened, _ in self.open}:
            return
        if (tag == "pre" and self.open[-1][1] == "pre") or (tag in _BLOCKS and not self._inside("pre")):
            self._flush()
        while self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        """Collect text where it is seen."""
        if self._inside("annotation"):
            if self._where() != "chrome":
                self._formula(data)
        elif self._where() != "silent":
            self.text.append(data)

    def _image(self, attributes: dict[str, str]) -> None:
        if re.search(r"\b(?:math|formula\w*)\b", attributes.get("class", "")) and attributes.get("alt"):
            self.formula_here = True
            if self._where() == "content":
                self._formula(re.sub(r"^(?:\$+|\\\[)|(?:\$+|\\\])$", "", attributes["alt"].strip()))

    def _formula(self, latex: str) -> None:
        if _HARD.search(latex):
            self.page.formulas.append(latex.strip())

    def _flush(self) -> None:
        text, here = "".join(self.text), self._where()
        self.text, had_formula, self.formula_here = [], self.formula_here, False
        if not text.strip() or here == "silent":
            return
        if self._inside("pre"):
            if here == "content":
                self.page.code.append(text.strip("\n"))
            return
        found = _DELIMITED.findall(text) if self.manual.form == "delimiters" else []
        for inline, display in found:
            if here == "content":
                self._formula(inline or display)
        if not found and not had_formula:
            lines = self.page.content if here == "content" else self.page.chrome
            lines.append(" ".join(text.split()))

    def close(self) -> None:
        """End the page."""
        super().close()
        self._flush()


def read_page(manual: Manual, name: str, html: bytes) -> KnownPage:
    """Return a page with its truth; chrome whose words stand in the content as well is not judged."""
    reader = _Reader(manual)
    reader.feed(html.decode("utf-8", "replace"))
    reader.close()
    page = reader.page
    page.name, page.html, page.python = name, html, manual.python
    words = f" {' '.join(_WORDS.findall(' '.join([*page.content, *page.code]).lower()))} "
    chrome = {line: " ".join(_WORDS.findall(line.lower())) for line in page.chrome}
    page.chrome = [line for line, found in chrome.items() if f" {found} " not in words]
    return page


def known_pages(names: Sequence[str], count: int, aside: bool) -> list[KnownPage]:
    """Return at most `count` pages a manual, of one half, that have formulas or (in manuals of Python) code.

    The pages are taken in the order of a hash of their names and kept as an artifact, because reading one manual
    out of its package takes seconds.

    Raises:
        LabError: an unknown manual; PackageError if a package cannot be had.
    """
    pages = []
    for name in names:
        manual = next((one for one in MANUALS if one.name == name), None)
        if manual is None:
            raise LabError(one_of("manual", name, [one.name for one in MANUALS]))
        folder = artifact(
            "manual-pages", {"manual": name, "count": count, "aside": aside}, partial(_store, manual, count, aside)
        )
        rows = pq.read_table(folder / "pages.parquet").to_pylist()
        pages += [read_page(manual, row["name"], row["html"]) for row in rows]
    return pages


def _store(manual: Manual, count: int, aside: bool, folder: Path) -> None:
    rows = [{"name": page.name, "html": page.html} for page in islice(_chosen(manual, aside), count)]
    pq.write_table(pa.Table.from_pylist(rows, schema=_PAGES), folder / "pages.parquet", compression="zstd")


def _chosen(manual: Manual, aside: bool) -> Iterator[KnownPage]:
    found = [
        (hashlib.sha256(name.encode()).hexdigest(), name, html)
        for name, html in members(package(manual.package), manual.pattern)
        if _SMALLEST <= len(html) <= _LARGEST and is_aside(f"{manual.name}/{name}") == aside
    ]
    for _, name, html in sorted(found):
        page = read_page(manual, name, html)
        if page.formulas or (manual.python and any(map(python_tree, page.code))):
            yield page


def python_tree(code: str) -> str:
    """Return the syntax tree of a block of Python as text, or an empty string when it is none.

    Of an interactive session (`>>>`) the input lines count. A block without a statement of substance (a name, a
    number) is not told from prose and counts as none.
    """
    source = _session_input(code) if ">>>" in code else code
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return ""
    trivial = all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Name | ast.Constant) for node in tree.body)
    return "" if trivial else ast.dump(tree)


def _session_input(code: str) -> str:
    """Return the lines after the prompts of an interactive session, its prompts taken off."""
    lines = [line.strip() if line.lstrip().startswith(">>>") else line for line in code.split("\n")]
    return "\n".join(line.lstrip()[4:] for line in lines if line.lstrip().startswith((">>>", "...")))
