"""The format matrix: every form of every formula, and a card that counts them."""

import pyarrow.parquet as pq

from nemo_lab.corpora import cards
from nemo_lab.studies.math_extraction import format_matrix
from nemo_lab.studies.math_extraction.manuals import is_aside


def test_the_matrix_has_every_form_of_every_formula() -> None:
    assert len(format_matrix.forms()) == 19
    counts = {form: len(format_matrix.rendered(form)) for form in format_matrix.forms()}
    assert {form for form, count in counts.items() if count != 200} == {"pandoc HTML"}
    for aside in (True, False):
        pages = format_matrix.matrix_pages(aside, 1)
        assert [page.manual for page in pages] == format_matrix.forms()
        assert all(is_aside(formula) == aside for page in pages for formula in page.formulas)
        assert all(len(page.formulas) == 10 for page in pages)


def test_the_card_counts_the_file():
    card = cards.card_path("format-matrix").read_text(encoding="utf-8")
    table = pq.read_table(format_matrix._FILE)
    formulas = sorted(set(table["tex"].to_pylist()))
    assert f"{len(formulas)} formulas with {table.num_rows:,} renderings" in card
    assert f"in {len(set(table['form'].to_pylist()))} forms" in card
    assert f"{sum(map(is_aside, formulas))} of {len(formulas)}" in card
    assert all(f"`{name}`" in card for name in table.schema.names)
