"""Makes `format_matrix.parquet` of notebook 01's study; run by hand where pandoc, latexmlc and node are installed.

    npm install katex@0.19.1 mathjax@4.1.3 temml@0.13.5      (in an empty folder)
    python tests/studies/math_extraction/make_format_matrix.py THAT_FOLDER

Formulas: those of the manuals of SymPy and mpmath with a command or a script, 170 without rows and 30 with, in the
order of a hash, less those that are not TeX in the first place (an unfinished command, a line break written for a
backslash). A form lacks the formulas that its tool refuses.
"""

import hashlib
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from nemo_lab.corpora.packages.archives import members
from nemo_lab.corpora.packages.fetch import package
from nemo_lab.curation.formulas.latex import parses
from nemo_lab.studies.math_extraction.format_matrix import _FILE
from nemo_lab.studies.math_extraction.manuals import MANUALS, read_page

NODE = """
import fs from 'fs'; import katex from 'katex'; import temml from 'temml'; import MathJax from 'mathjax';
const items = JSON.parse(fs.readFileSync(process.argv[2]));
await MathJax.init({loader: {load: ['input/tex', 'output/chtml']}});
const out = [];
for (const {tex, display} of items) {
  const forms = {}, put = (name, make) => { try { forms[name] = make() } catch (e) {} };
  put('KaTeX', () => katex.renderToString(tex, {displayMode: display}));
  put('KaTeX MathML', () => katex.renderToString(tex, {displayMode: display, output: 'mathml'}));
  put('Temml MathML', () => temml.renderToString(tex, {displayMode: display, throwOnError: true}));
  try {
    forms['MathJax 4'] = MathJax.startup.adaptor.outerHTML(await MathJax.tex2chtmlPromise(tex, {display}));
    forms['MathJax MathML'] = await MathJax.tex2mmlPromise(tex, {display});
  } catch (e) {}
  out.push(forms);
}
fs.writeFileSync(process.argv[3], JSON.stringify(out)); process.exit(0);
"""


def formulas() -> list[dict]:
    """The chosen formulas."""
    found: dict[str, None] = {}
    for manual in (one for one in MANUALS if one.name in ("sympy", "mpmath")):
        for name, html in members(package(manual.package), manual.pattern):
            found |= dict.fromkeys(" ".join(tex.split()) for tex in read_page(manual, name, html).formulas)
    rows = [tex for tex in found if r"\\" in tex and r"\begin" in tex and len(tex) < 400]
    plain = [tex for tex in found if r"\\" not in tex and "&" not in tex and 3 < len(tex) < 160]

    def chosen(some: list[str], count: int) -> list[str]:
        good = [tex for tex in some if parses(tex) and r"\label" not in tex and r"\operatorname(" not in tex]
        return sorted(good, key=lambda tex: hashlib.sha256(tex.encode()).hexdigest())[:count]

    return [{"tex": tex, "display": r"\\" in tex} for tex in chosen(plain, 170) + chosen(rows, 30)]


def by_node(items: list[dict], modules: Path) -> list[dict[str, str]]:
    """KaTeX, Temml and MathJax."""
    script = modules / "render.mjs"
    script.write_text(NODE, encoding="utf-8")
    (modules / "in.json").write_text(json.dumps(items), encoding="utf-8")
    subprocess.run(["node", script, modules / "in.json", modules / "out.json"], cwd=modules, check=True, timeout=300)
    return json.loads((modules / "out.json").read_text(encoding="utf-8"))


def by_pandoc(items: list[dict], flag: str) -> list[str | None]:
    """What pandoc makes of each formula in a block of its own."""
    blocks = [
        f"::: {{#f{n}}}\n" + (f"$${i['tex']}$$" if i["display"] else f"${i['tex']}$") + "\n:::"
        for n, i in enumerate(items)
    ]
    command = ["pandoc", "-f", "markdown", "-t", "html", *filter(None, [flag])]
    done = subprocess.run(command, input="\n\n".join(blocks), capture_output=True, text=True, check=True, timeout=300)
    found = [re.search(rf'<div id="f{n}">\n<p>(.*?)</p>\n</div>', done.stdout, re.DOTALL) for n in range(len(items))]
    return [match[1] if match else None for match in found]


def by_latexml(items: list[dict]) -> list[str | None]:
    """LaTeXML's `<math>` of each formula."""
    body = [
        f"QQ{n}QQ " + (f"\\[{i['tex']}\\]" if i["display"] else f"${i['tex']}$") + f" EE{n}EE"
        for n, i in enumerate(items)
    ]
    source = (
        "\\documentclass{article}\\usepackage{amsmath,amssymb}\\begin{document}\n"
        + "\n\n".join(body)
        + "\\end{document}"
    )
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "m.tex").write_text(source, encoding="utf-8")
        command = [
            "latexmlc",
            "--format=html5",
            "--nodefaultresources",
            "--whatsin=document",
            "m.tex",
            "--dest=m.html",
        ]
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=600)
        text = Path(folder, "m.html").read_text(encoding="utf-8")
    found = [re.search(rf"QQ{n}QQ(?:(?!EE{n}EE).)*?(<math.*?</math>)", text, re.DOTALL) for n in range(len(items))]
    return [match[1] if match else None for match in found]


def without(markup: str, pattern: str) -> str:
    """Markup with its TeX taken out, so that only the structure is left."""
    return re.sub(pattern, "", markup, flags=re.DOTALL)


def wikipedia(tex: str, mathml: str) -> str:
    """The form that Wikipedia's servers write: hidden MathML and an image with the TeX as its text."""
    alternative = "{\\displaystyle " + tex.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;") + "}"
    hidden = mathml.replace("<math", f'<math alttext="{alternative}"', 1)
    return (
        f'<span class="mwe-math-element"><span class="mwe-math-mathml-inline" style="display: none;">{hidden}</span>'
        f'<img src="math.svg" class="mwe-math-fallback-image-inline" alt="{alternative}"></span>'
    )


def main() -> None:
    """Write the file."""
    items = formulas()
    all_forms = by_node(items, Path(sys.argv[1]))
    for name, flag in (
        ("pandoc MathML", "--mathml"),
        ("pandoc MathJax", "--mathjax"),
        ("pandoc KaTeX", "--katex"),
        ("pandoc HTML", ""),
    ):
        for forms, markup in zip(all_forms, by_pandoc(items, flag), strict=True):
            forms |= {name: markup} if markup else {}
    for forms, markup in zip(all_forms, by_latexml(items), strict=True):
        forms |= {"LaTeXML": markup} if markup else {}
    rows = []
    for item, forms in zip(items, all_forms, strict=True):
        plain = without(forms.get("MathJax MathML", ""), r' data-latex="[^"]*"')
        if plain and "MathJax 4" in forms:
            glyphs = without(forms["MathJax 4"], r' data-latex="[^"]*"')
            assistive = f"<mjx-assistive-mml>{plain}</mjx-assistive-mml></mjx-container>"
            forms["MathJax 3"] = glyphs.replace("</mjx-container>", assistive)
            forms["MathML only (MathJax)"], forms["Wikipedia"] = plain, wikipedia(item["tex"], plain)
        if "<annotation" in forms.get("pandoc MathML", ""):
            forms["MathML only (pandoc)"] = without(forms["pandoc MathML"], r"<annotation.*?</annotation>")
        if "LaTeXML" in forms:
            forms["MathML only (LaTeXML)"] = without(forms["LaTeXML"], r' alttext="[^"]*"')
        if "<" not in without(forms.get("pandoc HTML", "<"), r"</?span[^>]*>"):
            forms.pop("pandoc HTML", None)  # pandoc gave up and left the TeX
        rows += [{**item, "form": form, "html": markup} for form, markup in forms.items() if form != "MathJax MathML"]
    rows.sort(key=lambda row: row["form"])
    pq.write_table(pa.Table.from_pylist(rows), _FILE, compression="zstd", compression_level=19)
    print(len(items), "formulas,", len(rows), "forms of formulas,", _FILE.stat().st_size, "bytes")


if __name__ == "__main__":
    main()
