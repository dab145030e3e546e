"""Stored records agree with the ledger's rules, with the notebooks' outputs and with the expectations."""

from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.notebooks import expectations

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
RECORDS = sorted((ROOT / "notebooks" / "records").glob("*.json"))
each_record = pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def text_of(cell: Any) -> str:
    """What a cell's stored outputs say as plain text."""
    return "\n".join(
        output.get("text", "") + str(output.get("data", {}).get("text/plain", "")) for output in cell.get("outputs", [])
    )


def shown_verdicts(notebook: Any) -> dict[str, str]:
    """Claim id to the line that the last ledger table shows for it."""
    tables = [text_of(cell) for cell in notebook.cells if "lab.ledger()" in cell.source and cell.cell_type == "code"]
    lines = tables[-1].splitlines() if tables else []
    return {line.split()[0]: line for line in lines if line.strip()}


@each_record
def test_record_is_a_finished_run_of_its_name(path: Path) -> None:
    record = expectations.read_json(path)
    assert f"{record['notebook']}.{record['scale']}" == path.stem
    assert record["status"] == "ok"
    assert (ROOT / "notebooks" / f"{record['notebook']}.ipynb").is_file()


@each_record
def test_verdicts_follow_from_the_samples(path: Path) -> None:
    """Nobody has typed a verdict, an interval or a mean by hand, and no rule has changed since."""
    from nemo_lab.lab.ledger.claims import find_claim, judge

    record = expectations.read_json(path)
    for claim in record["claims"]:
        control = claim["control"] and claim["control"]["samples"]
        today = judge(find_claim(claim["id"]), claim["samples"], control, record["scale"])
        assert claim["verdict"] == today.verdict, claim["id"]
        for name in ("mean", "low", "high"):
            want = getattr(today, name)
            assert claim[name] == (want if want is None else pytest.approx(want, rel=1e-9)), claim["id"]


@each_record
def test_record_meets_its_expectations(path: Path) -> None:
    record = expectations.read_json(path)
    table = expectations.expected(record["notebook"], record["scale"])
    assert expectations.problems(record, table) == []
    loose = [name for name in expectations.numbers(record) if name.startswith("values.") and name not in table]
    assert not loose, f"recorded but held to nothing in expectations.toml: {loose}"


@each_notebook
def test_notebook_has_the_record_of_its_outputs(path: Path) -> None:
    stored = nbformat.read(path, as_version=4).metadata.get("nemo_lab", {})
    record = expectations.read_json(ROOT / "notebooks" / "records" / f"{path.stem}.{stored['scale']}.json")
    assert record["seed"] == stored["seed"]
    assert record["code"]["hash"] == stored["code_hash"]


@each_notebook
def test_notebook_shows_the_verdicts_of_its_record(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    scale = notebook.metadata["nemo_lab"]["scale"]
    record = expectations.read_json(ROOT / "notebooks" / "records" / f"{path.stem}.{scale}.json")
    shown = shown_verdicts(notebook)
    wrong = [claim["id"] for claim in record["claims"] if not shown.get(claim["id"], "").endswith(claim["verdict"])]
    assert not wrong, f"the ledger table shown in {path.stem} disagrees with the record on {wrong}"


def test_expectations_are_well_formed_and_about_notebooks_there_are() -> None:
    from nemo_lab.lab.scales import SCALES

    for notebook, scales in expectations.load().items():
        assert (ROOT / "notebooks" / f"{notebook}.ipynb").is_file(), notebook
        for scale, names in scales.items():
            assert scale in SCALES
            for name, bounds in names.items():
                low, high = expectations.limits(bounds)
                assert low <= high, name


# --- the checker itself

RECORD = {
    "notebook": "05_x",
    "scale": "smoke",
    "seconds": 3.0,
    "peak_mb": 400.0,
    "values": {"loss": 2.5},
    "claims": [{"id": "a.b", "mean": 0.5}],
}


@pytest.mark.parametrize(
    ("name", "bounds", "met"),
    [
        ("values.loss", {"min": 2, "max": 3}, True),
        ("values.loss", {"max": 2.4}, False),
        ("values.loss", {"equals": 2.5}, True),
        ("claims.a.b", {"equals": 0.6, "tolerance": 0.2}, True),
        ("claims.a.b", {"equals": 0.6, "tolerance": 0.05}, False),
        ("seconds", {"max": 30}, True),
        ("values.missing", {"max": 30}, False),
    ],
)
def test_bounds_decide(name: str, bounds: dict[str, float], met: bool) -> None:
    assert (expectations.problems(RECORD, {name: bounds}) == []) is met


def test_not_a_number_meets_nothing() -> None:
    record = {**RECORD, "values": {"loss": float("nan")}}
    assert expectations.problems(record, {"values.loss": {"min": 0}})


def test_a_misspelt_bound_is_an_error() -> None:
    with pytest.raises(ValueError, match="write min and max"):
        expectations.problems(RECORD, {"values.loss": {"maximum": 3}})
