"""`nemo-lab report`: the claims ledger and the executed notebooks as one folder that opens from disk.

The front page is the ledger, since the question a visitor brings is 'does it hold?'. Pages are plain HTML
without scripts or outside requests. The folder is built under another name and swapped in at the end, so a
report is the old one or the new one, never a mixture.
"""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from itertools import groupby
from pathlib import Path
from typing import Any

from nemo_lab.errors import LabError
from nemo_lab.lab.ledger import claims as verdicts
from nemo_lab.lab.ledger.claims import Claim
from nemo_lab.lab.ledger.table import MARKS, NOT_RUN, NOT_TESTABLE
from nemo_lab.lab.report.ledger import FAILED, Row, counts, figure, rows
from nemo_lab.lab.runs.find import Run

_FILES = resources.files(__package__) / "report_files"  # the pages as Jinja templates, and their style sheet
_MARK = ".nemo-lab-report"  # tells a folder of ours, which may be replaced, from any other
_KINDS = {  # style classes; the other verdicts are open ones
    verdicts.REPRODUCED: "reproduced",
    verdicts.SAME_DIRECTION: "direction",
    verdicts.NOT_REPRODUCED: "refuted",
    verdicts.CONTROL_FAILED: "broken",
    FAILED: "refuted",
}


def build_report(runs: Mapping[str, Sequence[Run]], out: Path, claims: Mapping[str, Claim] | None = None) -> Path:
    """Write the report to the folder `out` and return its front page.

    Args:
        runs: by notebook, as `nemo_lab.lab.runs.find.find_runs` gives them.
        out: replaced if it is an earlier report, made if it is missing.
        claims: by id; None means the package's ledger.

    Raises:
        LabError: `out` is something else than a report.
    """
    out = out.resolve()
    _refuse_foreign(out)
    for leftover in [*out.parent.glob(f".{out.name}.*.tmp"), *out.parent.glob(f".{out.name}.*.old")]:
        shutil.rmtree(leftover, ignore_errors=True)  # of a report that was killed
    table = rows(runs, claims)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        temporary.mkdir(parents=True)
        (temporary / _MARK).touch()
        for run in _shown(runs):
            (temporary / page_name(run)).write_text(_notebook_page(run), encoding="utf-8")
        (temporary / "index.html").write_text(_index_page(table, runs), encoding="utf-8")
        _swap(temporary, out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return out / "index.html"


def _refuse_foreign(out: Path) -> None:
    if out.exists() and not (out / _MARK).exists() and (not out.is_dir() or any(out.iterdir())):
        raise LabError(f"{str(out)!r} is no report of Nemo Lab and is not replaced; choose another --out.")


def _swap(new: Path, out: Path) -> None:
    """Put `new` in the place of `out`; the old folder goes aside first: a full one cannot be replaced."""
    aside = out.with_name(f".{out.name}.{os.getpid()}.old")
    if out.exists():
        os.replace(out, aside)
    os.replace(new, out)
    shutil.rmtree(aside, ignore_errors=True)


def _shown(runs: Mapping[str, Sequence[Run]]) -> list[Run]:
    return [run for group in runs.values() for run in group if run.notebook]


def page_name(run: Run) -> str:
    """Return the file name of a run's page, safe whatever a record calls its notebook."""
    safe = "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in run.name)
    return f"{safe}.seed{run.seed}.html"


def _render(template: str, **values: Any) -> str:
    """Return a page of `report_files`; only values of the class Markup are not escaped."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, loader=FunctionLoader(_file)
    )
    return environment.get_template(template).render(style=Markup(_style_sheet()), **values)


def _file(name: str) -> str:
    return (_FILES / name).read_text(encoding="utf-8")


def _style_sheet() -> str:
    """Return `style.css` with the colours of code for light and dark before it.

    The colours of the verdicts are of Okabe and Ito's colour-blind safe set, and never the only sign: each chip
    has its word and a mark. Text keeps a contrast of at least 4.5 to 1 on both grounds.
    """
    from pygments.formatters import HtmlFormatter

    light = HtmlFormatter(style="xcode").get_style_defs(".highlight")
    dark = HtmlFormatter(style="github-dark").get_style_defs(".highlight")
    code = f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"
    return code + ".highlight, .highlight pre { background: none; }\n\n" + _file("style.css")


def _notebook_page(run: Run) -> str:
    from markupsafe import Markup

    from nemo_lab.lab.report.notebook import notebook_body

    assert run.notebook is not None
    facts = [run.name, f"scale {run.scale}", f"seed {run.seed}", duration(run), memory(run)]
    return _render(
        "notebook.html.j2",
        title=f"{run.name} · Nemo Lab",
        facts=" · ".join(facts),
        error="" if run.ok else str(run.record.get("error", "no reason recorded")),
        body=Markup(notebook_body(run.notebook)),
    )


def _index_page(table: Sequence[Row], runs: Mapping[str, Sequence[Run]]) -> str:
    numbers = [{"n": n, "verdict": name, **_chip(name)} for name, n in counts(table).items()]
    everything = [run for group in runs.values() for run in group]
    return _render(
        "ledger.html.j2",
        title="Nemo Lab: the claims ledger",
        total=len(table),
        counts=numbers,
        parts=_parts(table),
        runs=[_run_values(run, table) for run in everything],
        machines=_machines(everything),
    )


def _parts(table: Sequence[Row]) -> list[dict[str, Any]]:
    """Split the ledger: what was measured first, then what is still to do, then what cannot be done here."""
    titles = {"measured": "Measured", "open": "Not run yet", "untestable": "Not testable here"}
    states = {NOT_RUN: "open", NOT_TESTABLE: "untestable"}
    parts = []
    for name, title in titles.items():
        chosen = [row for row in table if states.get(row.verdict, "measured") == name]
        papers = [
            {"title": paper, "rows": [_row_values(row) for row in group]}
            for paper, group in groupby(chosen, key=lambda row: row.claim.paper)
        ]
        if chosen:
            parts.append({"id": name, "title": f"{title}: {len(chosen)}", "papers": papers})
    return parts


def _chip(verdict: str) -> dict[str, str]:
    return {"kind": _KINDS.get(verdict, "open"), "mark": MARKS.get(verdict, "!")}


def _row_values(row: Row) -> dict[str, Any]:
    """Return what the ledger's template shows of one row."""
    claim, control = row.claim, row.judgement.control if row.judgement else None
    return {
        "id": claim.id,
        "claim": claim.claim,
        "figure": claim.figure,
        "conditions": claim.conditions,
        "measure": claim.measure if claim.testable else "",
        "ours": row.ours,
        "scale": row.scale,
        "criterion": claim.criterion,
        "note": row.note,
        "control": claim.control,
        "control_ours": figure(control, claim) if control else "",
        "verdict": row.verdict,
        "links": _links(row),
        **_chip(row.verdict),
    }


def _links(row: Row) -> list[dict[str, str]]:
    """Return links to the claim's cell: the run that gave the verdict, then the other seeds with theirs."""
    from nemo_lab.lab.report.notebook import anchor

    links = []
    for one in (row, *row.others):
        if one.run and one.run.notebook:
            text = one.run.name if one is row else f"seed {one.run.seed}: {one.verdict}"
            links.append({"href": page_name(one.run) + anchor(one.run.notebook, row.claim.id), "text": text})
    return links


def _run_values(run: Run, table: Sequence[Row]) -> dict[str, Any]:
    mine = [one for row in table for one in (row, *row.others) if one.run is run and one.judgement]
    judged = [row for row in mine if row.verdict != verdicts.TOO_SMALL]
    held = sum(row.verdict == verdicts.REPRODUCED for row in judged)
    return {
        "name": run.name,
        "href": page_name(run) if run.notebook else "",
        "scale": run.scale,
        "seed": run.seed,
        "status": str(run.record.get("status", "")),
        "error": str(run.record.get("error", "")),
        "time": duration(run),
        "memory": memory(run),
        "claims": f"{held} of {len(judged)} judged" if judged else "–",
    }


def duration(run: Run) -> str:
    """Return the run time as `42 s` or `7 min 05 s`."""
    seconds = round(float(run.record.get("seconds") or 0))
    return f"{seconds // 60} min {seconds % 60:02d} s" if seconds >= 60 else f"{seconds} s"


def memory(run: Run) -> str:
    """Return the peak memory as `1.2 GB` (10^9 bytes)."""
    return f"{float(run.record.get('peak_mb') or 0) / 1000:.1f} GB"


def _machines(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Group the runs by the machine and packages they ran on."""
    groups: dict[tuple[tuple[str, str], ...], list[str]] = {}
    for run in runs:
        facts = {**_texts(run.record.get("machine")), **_texts(run.record.get("packages"))}
        if facts:
            groups.setdefault(tuple(facts.items()), []).append(run.name)
    return [{"notebooks": ", ".join(dict.fromkeys(names)), "facts": facts} for facts, names in groups.items()]


def _texts(values: Any) -> dict[str, str]:
    return {str(name): str(value) for name, value in values.items()} if isinstance(values, Mapping) else {}
