"""The ledger as a table: coarse numbers, a mark for each verdict, escaped text."""

import pytest

from nemo_lab.lab import session
from nemo_lab.lab.ledger.table import COLOURS, MARKS, badge, number
from nemo_lab.lab.session import start
from tests.lab.judged import NOTEBOOK, SAMPLES

pytestmark = pytest.mark.usefixtures("own_home")


def test_html_table_has_conditions_rule_and_escaped_text(monkeypatch):
    shown = []
    monkeypatch.setattr(session, "_show", shown.append)
    lab = start(NOTEBOOK, scale="laptop")
    lab.claim("nemotron-h.accuracy", SAMPLES["nemotron-h.accuracy"], control=[1.0, 1.1, 1.2], note="<script>")
    lab.ledger()
    html = shown[-1]._repr_html_()
    assert "&lt;script&gt;" in html
    assert "<script>" not in html
    assert "higher on 7 of 15 tasks" in html
    assert "attention-only model" in html
    assert "at most 0.02 bits/byte" in html
    assert badge("reproduced") in html
    assert COLOURS["reproduced"] in badge("reproduced")


def test_exact_claims_show_a_range_in_place_of_an_interval(capsys):
    start(NOTEBOOK, scale="smoke").claim("nemotron-h.constant", [1.0, 1.0], control=[64.0, 50.0])
    assert "1 x, n = 2  50 to 64 x, n = 2  ✓ reproduced" in capsys.readouterr().out


def test_every_verdict_has_its_own_colour_or_mark():
    assert set(COLOURS) == set(MARKS)
    assert len({(COLOURS[name], MARKS[name]) for name in COLOURS}) >= len(COLOURS) - 1  # both waiting states look alike


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.14159, "3.14"),
        (0.0, "0"),
        (16384.4, "16384"),
        (0.00123, "0.00123"),
        (1e-9, "1e-09"),
        (-1234.5, "-1234"),
    ],
)
def test_numbers_are_coarse(value, text):
    assert number(value) == text
