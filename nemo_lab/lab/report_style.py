"""The report's style sheet: one column of text, tables that become cards on a phone, light and dark.

Colours of the verdicts are of Okabe and Ito's colour-blind safe set, and never the only sign: each chip has
its word and a mark. Text keeps a contrast of at least 4.5 to 1 on both grounds.
"""

_BASE = """
:root { --ground: #fff; --raised: #f6f7f9; --text: #1b1f24; --soft: #57606a; --line: #d5dae0; --link: #0b5cad;
  --blue: #0072b2; --green: #009e73; --red: #d55e00; --grey: #7a828c; --purple: #b35290; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #14171b; --raised: #1d2127; --text: #e4e7eb; --soft: #a3acb7; --line: #363c45;
    --link: #7cb8f2; --blue: #56b4e9; --green: #2bc79b; --red: #f0883e; --grey: #9aa3ad; --purple: #dd8fc1; }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0 auto; padding: 1.5rem clamp(1rem, 3vw, 2.5rem) 4rem; max-width: 82rem; color: var(--text);
  background: var(--ground);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: break-word; }
a { color: var(--link); }
a:focus-visible, summary:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .6rem; }
h3 { font-size: 1rem; margin: 1.2rem 0 .4rem; }
.lead { max-width: 46rem; color: var(--soft); margin: 0 0 1rem; }
.counts { list-style: none; display: flex; flex-wrap: wrap; gap: .5rem 1.2rem; padding: 0; margin: 0; }
.chip { display: inline-block; white-space: nowrap; font-size: .86rem; font-weight: 600;
  padding: .08rem .55rem;
  border: 1px solid var(--mark, var(--grey)); border-left-width: .45rem; border-radius: .35rem;
  background: var(--ground); }
.reproduced { --mark: var(--blue); } .direction { --mark: var(--green); } .refuted { --mark: var(--red); }
.broken { --mark: var(--purple); } .open { --mark: var(--grey); }
.open { border-style: dashed; border-left-style: solid; }
"""

_TABLES = """
table { border-collapse: collapse; }
.cards { width: 100%; font-size: .93rem; }
.ledger { table-layout: fixed; }
.ledger th:nth-child(1) { width: 24%; } .ledger th:nth-child(2) { width: 17%; }
.ledger th:nth-child(3) { width: 25%; } .ledger th:nth-child(4) { width: 16%; }
.cards th, .cards td { text-align: left; vertical-align: top; padding: .55rem .7rem;
  border-top: 1px solid var(--line); }
.cards thead th { border-top: 0; color: var(--soft); font-size: .82rem; }
.cards th[scope=row] { font-weight: 400; }
.cards .group th { width: auto; background: var(--raised); font-weight: 700; padding: .4rem .7rem; }
.id { display: block; font: 600 .85rem ui-monospace, SFMono-Regular, Consolas, monospace; }
.under { display: block; color: var(--soft); font-size: .84rem; margin-top: .2rem; }
a.under { color: var(--link); }
.note { font-style: italic; }
.number { font-variant-numeric: tabular-nums; }
tr:target { outline: 3px solid var(--link); }
dl { display: flex; flex-wrap: wrap; gap: .3rem 1.6rem; margin: 0; font-size: .92rem; }
dl div { display: flex; gap: .45rem; } dt { color: var(--soft); } dd { margin: 0; }
@media (max-width: 700px) {
  .cards, .cards tbody, .cards tr, .cards th, .cards td { display: block; width: auto !important; }
  .cards thead { position: absolute; left: -9999px; }
  .cards tr { border: 1px solid var(--line); border-radius: .5rem; margin: 0 0 .8rem; padding: .3rem 0; }
  .cards tr.group { border: 0; margin: 1.2rem 0 .5rem; padding: 0; }
  .cards th, .cards td { border: 0; padding: .3rem .8rem; }
  .cards td { display: grid; grid-template-columns: 7.2rem 1fr; gap: .6rem; }
  .cards td::before { content: attr(data-label); color: var(--soft); font-size: .84rem; }
  .cards td > * { min-width: 0; }
}
"""

_NOTEBOOK = """
.notebook { max-width: 60rem; }
.facts { color: var(--soft); font-size: .9rem; margin: .6rem 0 1.5rem; }
.failure { border-left: .45rem solid var(--red); padding: .5rem .8rem; background: var(--raised); }
.cell { margin: 0 0 1rem; }
.prompt { display: none; }
.anchor-link { visibility: hidden; text-decoration: none; margin-left: .3rem; }
:is(h1, h2, h3, h4):hover > .anchor-link { visibility: visible; }
pre, code, kbd, samp {
  font: .86rem/1.45 ui-monospace, SFMono-Regular, Consolas, "DejaVu Sans Mono", monospace; }
pre { margin: 0; overflow-x: auto; white-space: pre; }
.input_area, .rendered_html > pre, .rendered_html .highlight { background: var(--raised);
  border: 1px solid var(--line); border-radius: .4rem; padding: .6rem .8rem; }
.output_subarea { margin: .5rem 0 0; padding: 0 .2rem; overflow-x: auto; }
.output_error pre { border-left: .45rem solid var(--red); padding-left: .8rem; }
.output img, .rendered_html img { max-width: 100%; height: auto; }
.output_png img, .output_svg img, .output_jpeg img { background: #fff; border-radius: .3rem; }
.rendered_html table { display: block; max-width: 100%; overflow-x: auto; font-size: .9rem; margin: .6rem 0; }
.rendered_html :is(th, td) { padding: .25rem .6rem; border-bottom: 1px solid var(--line); text-align: left; }
.output_html :is(th, td) { text-align: right; }
.rendered_html blockquote { margin: .8rem 0; padding: 0 1rem; border-left: .25rem solid var(--line);
  color: var(--soft); }
.rendered_html details {
  border: 1px solid var(--line); border-radius: .4rem; padding: .4rem .8rem; margin: .6rem 0; }
summary { cursor: pointer; }
math { font-family: "STIX Two Math", "Cambria Math", "Latin Modern Math", math;
  font-size: 1.08em; }
mtd[columnalign=right] { text-align: right; } mtd[columnalign=left] { text-align: left; }
mtable[columnspacing] > mtr > mtd { padding: .15em 0; }
math[display=block] { margin: .9rem 0; padding: .1rem 0; max-width: 100%; overflow-x: auto;
  overflow-y: hidden; }
math [mathvariant^=bold] { font-weight: bold; }
.cell:target { outline: 3px solid var(--link); outline-offset: .5rem; border-radius: .2rem; }
"""


def style_sheet() -> str:
    """Return the whole style sheet, code colours for light and dark included."""
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="xcode").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    code = f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
    return code + ".highlight, .highlight pre { background: none; }\n" + _BASE + _TABLES + _NOTEBOOK
