"""Tables of data are lines of cells, and a table that only lays out stays one."""

from nemo_lab.curation.pages.prepass import prepare
from tests.curation.made_pages import page


def test_a_table_keeps_its_caption_its_words_apart_and_its_rows_whole() -> None:
    row = "<tr><td>ann<br>Member<p>3 posts</p></td><td>$$y^2$$</td></tr>"
    prepared = prepare(page(f"<table><caption>Values of \\(k\\)</caption><tr><th>a</th><th>b</th></tr>{row}</table>"))
    lines = prepared.shelf.restore(prepared.html)[0]
    assert "<div>Values of $k$</div><div>a | b</div><div>ann Member 3 posts | $y^2$</div>" in lines


def test_tables_of_data_become_lines_and_layout_stays() -> None:
    data = "<table><tr><th>n</th><th>value</th></tr><tr><td>1</td><td>$x^2$</td></tr></table>"
    prepared = prepare(page(data))
    assert "n | value" in prepared.html
    assert "<table" not in prepared.html
    assert prepared.math_nodes == 1
    assert (
        "<table"
        in prepare(
            page("<table><tr><td><h2>Title</h2></td><td>text</td></tr><tr><td>a</td><td>b</td></tr></table>")
        ).html
    )
