"""The ledger's rows: judged from the samples, whatever a record says."""

from nemo_lab.lab.ledger.claims import CONTROL_FAILED, REPRODUCED, TOO_SMALL, ledger
from nemo_lab.lab.ledger.table import NOT_RUN, NOT_TESTABLE
from nemo_lab.lab.report.ledger import FAILED, as_markdown, as_text, counts, rows
from tests.lab.report.made_runs import CLAIMS, claim, run_of


def test_every_claim_is_a_row_and_the_verdict_is_computed_from_the_samples():
    forged = run_of()
    forged.record["claims"][0] |= {"verdict": "reproduced", "samples": [1.0, 1.1, 0.9]}
    assert [row.verdict for row in rows({}, CLAIMS)] == [NOT_RUN, NOT_TESTABLE]
    assert [row.verdict for row in rows({"05_x": [run_of()]}, CLAIMS)] == [REPRODUCED, NOT_TESTABLE]
    assert rows({"05_x": [forged]}, CLAIMS)[0].verdict not in (REPRODUCED, NOT_RUN)
    passing = run_of(control=(2.5, 2.6, 2.4))
    assert rows({"05_x": [passing]}, CLAIMS)[0].verdict == CONTROL_FAILED
    assert rows({"05_x": [run_of(scale="smoke")]}, CLAIMS)[0].verdict == TOO_SMALL
    assert rows({"05_x": [run_of(status="failed", error="E: x")]}, CLAIMS)[0].verdict == FAILED


def test_an_unreadable_entry_hides_no_other_row():
    broken = run_of()
    broken.record["claims"] = [{"id": "hybrid.faster", "samples": "no"}, 7]
    table = rows({"05_x": [broken]}, CLAIMS)
    assert table[0].verdict == FAILED
    assert "expected a list of numbers" in table[0].note


def test_the_lowest_seed_gives_the_verdict_and_the_others_are_kept_apart():
    table = rows({"05_x": [run_of(0), run_of(1, samples=(1.0, 1.1, 0.9))]}, CLAIMS)
    assert table[0].verdict == REPRODUCED
    assert table[0].judgement.n == 3
    assert [row.run.seed for row in table[0].others] == [1]


def test_the_text_fits_100_columns_and_the_markdown_cannot_be_broken():
    everything = rows({}, ledger())
    assert max(map(len, as_text(everything).splitlines())) <= 100
    assert all(row.claim.id in as_text(everything) for row in everything)
    table = rows({"05_x": [run_of()]}, {"hybrid.faster": claim(claim="a | b <b>\nc")})
    assert "2.5 times [2.25, 2.75]," in as_text(table)
    assert "| a \\| b &lt;b> c |" in as_markdown(table)
    assert counts(table) == {REPRODUCED: 1}
