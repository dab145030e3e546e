r"""An executed notebook as HTML that asks nothing of the network and runs nothing in the reader's browser.

nbconvert's own pages load MathJax and require.js from a CDN. Here formulas become MathML (latex2mathml), so
every browser draws them offline; where a formula cannot be converted its TeX source is shown instead.
Outputs are untrusted, since a notebook may show web pages and model output: HTML goes through an allowlist
(bleach), widgets and JavaScript are left out. Formulas pass the allowlist as placeholders, because they are
built here from elements of our choosing and HTML sanitisers do not know MathML.
"""

import logging
import re
from functools import cache
from html import escape, unescape
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

_NAMESPACE = "{http://www.w3.org/1998/Math/MathML}"
_MATH_TAGS = """math mrow mi mo mn mtext mspace msub msup msubsup munder mover munderover mfrac msqrt mroot
    mtable mtr mtd mstyle mpadded mphantom menclose"""
_MATH_ATTRIBUTES = """display displaystyle mathvariant stretchy fence form accent columnalign rowspacing
    columnspacing width height depth linethickness minsize maxsize notation"""
_HTML_TAGS = """a abbr b blockquote br caption code col colgroup dd del details div dl dt em figcaption figure
    h1 h2 h3 h4 h5 h6 hr i img kbd li mark ol p pre s samp small span strong sub summary sup table tbody td
    tfoot th thead tr u ul var"""
_HTML_ATTRIBUTES = "id class title alt width height colspan rowspan scope style open"
_MIME_TYPES = "text/html text/markdown text/latex text/plain image/png image/jpeg image/svg+xml"
_EMBEDDED_CODE = re.compile(r"<(script|style)\b.*?(</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_PLACEHOLDER = "\ue000{}\ue001"  # private-use characters, which no text of ours contains


def notebook_body(path: Path) -> str:
    """Return the cells of an executed notebook as HTML for the body of a page; cells keep their anchors.

    Raises:
        LabError: the file is no notebook.
    """
    from nemo_lab.lab.runs.notebooks import read_notebook

    notebook = read_notebook(path)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "data" in output:
                output["data"] = _safe_data(output["data"])
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if output.get("data") != {}]
    body, _ = _exporter().from_notebook_node(
        notebook, resources={"metadata": {"path": str(path.parent), "name": path.stem}}
    )
    return str(body)


def anchor(path: Path, claim_id: str) -> str:
    """Return the anchor of the cell that states a claim, `#cell-id=…`, or empty when none names it."""
    from nemo_lab.lab.runs.notebooks import read_notebook

    quoted = (f'"{claim_id}"', f"'{claim_id}'")
    for cell in read_notebook(path).cells:
        if cell.cell_type == "code" and any(text in cell.source for text in quoted):
            return f"#cell-id={cell.get('id', '')}" if cell.get("id") else ""
    return ""


def _safe_data(data: dict[str, Any]) -> dict[str, Any]:
    """Keep the output forms that are shown without code, with HTML cleaned and LaTeX turned to MathML."""
    kept = {kind: content for kind, content in data.items() if kind in _MIME_TYPES.split()}
    if "text/html" in kept:
        kept["text/html"] = clean_html(kept["text/html"])
    elif "text/latex" in kept:
        kept["text/html"] = mathml(kept["text/latex"].strip().strip("$"), display=True)
    kept.pop("text/latex", None)
    return kept


@cache
def _exporter() -> Any:
    from jinja2 import pass_context
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(template_name="basic")
    exporter.log = logging.getLogger("nemo_lab.report")
    exporter.log.setLevel(logging.ERROR)  # it warns of every figure without a description

    @pass_context
    def markdown(context: Any, source: str) -> str:
        cell = context.get("cell", {})
        path = context.get("resources", {}).get("metadata", {}).get("path", "")
        return render_markdown(source, path, cell.get("attachments", {}))

    exporter.register_filter("markdown2html", markdown)
    return exporter


def render_markdown(source: str, path: str = "", attachments: dict[str, Any] | None = None) -> str:
    """Return a Markdown cell as clean HTML with MathML.

    Args:
        source: Markdown with LaTeX formulas between dollars.
        path: the folder that pictures are found in; they are embedded.
        attachments: pictures stored in the cell itself.
    """
    from nbconvert.filters.markdown_mistune import InvalidNotebook, MarkdownWithMath

    formulas: list[str] = []
    renderer = _renderer(formulas, path, attachments or {})
    try:
        html = str(MarkdownWithMath(renderer=renderer).render(source))
    except InvalidNotebook:  # a picture that is not there
        html = f"<pre>{escape(source)}</pre>"
    html = clean_html(html)
    for number, formula in enumerate(formulas):
        html = html.replace(_PLACEHOLDER.format(number), formula)
    return html


def _renderer(formulas: list[str], path: str, attachments: dict[str, Any]) -> Any:
    """Return a renderer that puts formulas into the list and placeholders into the text."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer

    def keep(tex: str, display: bool) -> str:
        formulas.append(mathml(tex, display))
        return _PLACEHOLDER.format(len(formulas) - 1)

    class Renderer(IPythonRenderer):
        def block_html(self, html: str) -> str:
            return html  # nbconvert would embed pictures here and thereby close every open tag

        def inline_html(self, html: str) -> str:
            return html

        def block_math(self, body: str) -> str:
            return keep(body, True)

        def inline_math(self, body: str) -> str:
            return keep(body, False)

        def latex_environment(self, name: str, body: str) -> str:
            return keep(f"\\begin{{{name}}}{body}\\end{{{name}}}", True)

    return Renderer(escape=False, embed_images=True, path=path, attachments=attachments)


def clean_html(html: str) -> str:
    """Return HTML with only elements that show text, tables and embedded pictures."""
    from bleach import Cleaner
    from bleach.css_sanitizer import CSSSanitizer

    cleaner = Cleaner(
        tags=set(_HTML_TAGS.split()),
        attributes=_allowed,
        protocols={"http", "https", "mailto", "data"},
        css_sanitizer=CSSSanitizer(),
        strip=True,
    )
    return str(cleaner.clean(_EMBEDDED_CODE.sub("", html)))


def _allowed(tag: str, name: str, value: str) -> bool:
    """Return whether an attribute may stay: pictures only embedded, links only to pages."""
    if name == "src":
        return tag == "img" and value.startswith("data:image/")
    if name == "href":
        return tag == "a" and not value.startswith("data:")
    return name in _HTML_ATTRIBUTES.split() and "url(" not in value.lower()


def mathml(tex: str, display: bool = False) -> str:
    r"""Return a formula as MathML, or its TeX source in `<code>` where it cannot be converted.

    `aligned` and `split` are written as `align*`, which latex2mathml knows; the result is parsed and rebuilt
    from an allowlist, since latex2mathml passes markup inside `\text` through.
    """
    from latex2mathml.converter import convert

    source = unescape(tex).strip()
    known = re.sub(r"\\(begin|end)\{(aligned|split|gathered|equation\*?)\}", _known_environment, source)
    known = known.replace(r"\operatorname*", r"\operatorname").replace(r"\lvert", "|").replace(r"\rvert", "|")
    try:
        root = ElementTree.fromstring(convert(known, display="block" if display else "inline"))
        _check_math(root)
    except Exception:  # latex2mathml raises many kinds; a formula must never break a page
        return f'<code class="tex">{escape(source)}</code>'
    ElementTree.register_namespace("", _NAMESPACE.strip("{}"))
    return ElementTree.tostring(root, encoding="unicode")


def _known_environment(match: re.Match[str]) -> str:
    name = "" if match[2].startswith("equation") else "align*"
    return f"\\{match[1]}{{{name}}}" if name else ""


def _check_math(root: ElementTree.Element) -> None:
    """Drop unknown attributes, mend what latex2mathml gets wrong, and refuse what is not MathML."""
    for element in root.iter():
        name = element.tag.removeprefix(_NAMESPACE)
        if name not in _MATH_TAGS.split() or "\\" in (element.text or ""):
            raise ValueError(f"unexpected {name!r} with text {element.text!r}")
        for attribute in set(element.attrib).difference(_MATH_ATTRIBUTES.split()):
            del element.attrib[attribute]
        if name == "mi" and element.text == "~":  # \sim as a letter
            element.tag, element.text = f"{_NAMESPACE}mo", "∼"
