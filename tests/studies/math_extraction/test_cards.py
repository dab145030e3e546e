"""The card of the format matrix says what its file holds."""

import pyarrow.parquet as pq

from nemo_lab.corpora import cards
from nemo_lab.studies.math_extraction import format_matrix
from nemo_lab.studies.math_extraction.manuals import is_aside


def test_the_card_counts_the_file():
    card = cards.card_path("format-matrix").read_text(encoding="utf-8")
    table = pq.read_table(format_matrix._FILE)
    formulas = sorted(set(table["tex"].to_pylist()))
    assert f"{len(formulas)} formulas with {table.num_rows:,} renderings" in card
    assert f"in {len(set(table['form'].to_pylist()))} forms" in card
    assert f"{sum(map(is_aside, formulas))} of {len(formulas)}" in card
    assert all(f"`{name}`" in card for name in table.schema.names)
