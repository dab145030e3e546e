"""Claims, runs and executed notebooks made up for the tests of the report."""

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from nemo_lab.lab.ledger.claims import parse_claim
from nemo_lab.lab.runs.find import Run

EVIL = '<script>alert(1)</script><img src="http://evil.example/x.png" onerror="alert(2)">'
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
FORMULAS = "# Title\n\nLet $h_t = a_t$ and\n\n$$\\begin{aligned}a&=b\\\\ c&\\sim d\\end{aligned}$$"


def claim(name="hybrid.faster", **change):
    row = {
        "id": name,
        "paper": "Nemotron-H",
        "claim": "Hybrids decode faster.",
        "figure": "up to 3x",
        "conditions": "65,536 in, 1,024 out",
        "notebook": "05_x",
        "measure": "tokens/s",
        "unit": "times",
        "better": "higher",
        "no_effect": 1.0,
        "rule": {"kind": "bound", "bound": 2.0},
        "control": "the Transformer against itself",
        "min_scale": "laptop",
    }
    return parse_claim(row | change, name)


def untestable(name="hybrid.size"):
    row = {name: claim().__dict__[name] for name in ("paper", "claim", "figure", "conditions")}
    rule = {"kind": "untestable", "reason": "It takes 15T tokens", "needs": "1,024 H100s"}
    return parse_claim(row | {"id": name, "rule": rule}, name)


CLAIMS = {"hybrid.faster": claim(), "hybrid.size": untestable()}
OURS, NOTHING = (2.4, 2.5, 2.6), (1.0, 1.1, 0.9)


def run_of(seed=0, scale="laptop", notebook=None, samples=OURS, control=NOTHING, **change):
    entry = {"id": "hybrid.faster", "samples": list(samples), "control": {"samples": list(control)}}
    record = {
        "schema": 1,
        "notebook": "05_x",
        "scale": scale,
        "seed": seed,
        "status": "ok",
        "seconds": 125.0,
        "started": f"2026-01-0{seed + 1}T00:00:00+00:00",
        "peak_mb": 1234.0,
        "claims": [entry],
        "packages": {"torch": "2.13"},
        "machine": {"cores": 2, "cpu": "EPYC"},
    }
    return Run(record | change, notebook)


def executed(path, *, hostile=""):
    """Write an executed notebook with a formula, a figure, a table and the cell of the claim."""
    cells = [
        new_markdown_cell(FORMULAS),
        new_code_cell('lab.claim("hybrid.faster", ratios)', id="claimcell", execution_count=1),
    ]
    cells[1].outputs = [
        new_output("display_data", data={"image/png": PIXEL, "text/plain": "<Figure>"}),
        new_output("display_data", data={"text/html": f"<table><tr><td>cell</td></tr></table>{hostile}"}),
        new_output("display_data", data={"text/markdown": f"**bold** {hostile}"}),
        new_output("display_data", data={"text/latex": "$x^2$", "text/plain": "x2"}),
        new_output("display_data", data={"application/javascript": "alert(3)"}),
        new_output("stream", name="stdout", text=f"plain {hostile}"),
    ]
    nbformat.write(new_notebook(cells=cells), path)
    return path
