"""Documents of a useful size: nothing is lost by cutting and joining, nothing unreadable is kept."""

from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.corpora import documents
from nemo_lab.corpora.documents import PAGE, PIECE, clean, cut, joined

PARAGRAPHS = st.lists(st.integers(1, 12_000), min_size=1, max_size=12)


@settings(deadline=None, max_examples=60)
@given(PARAGRAPHS, st.sampled_from(["\n\n", "\n", " "]))
def test_pieces_are_short_and_together_are_the_text(sizes, separator):
    text = separator.join(chr(97 + index) * size for index, size in enumerate(sizes))
    pieces = cut(text)
    assert all(len(piece) <= PIECE for piece in pieces)
    assert "".join(pieces).replace("\n", "") == text.replace("\n", "")


def test_cutting_prefers_paragraphs():
    assert cut("a" * 5000 + "\n\n" + "b" * 5000) == ["a" * 5000, "b" * 5000]
    assert cut("short") == ["short"]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 900), max_size=30))
def test_pages_reach_their_size_and_lose_nothing(sizes):
    units = [(str(index), "x" * size) for index, size in enumerate(sizes)]
    pages = list(joined(units, "\n"))
    assert sum(text.count("x") for _, text in pages) == sum(sizes)
    assert all(len(text) >= PAGE for _, text in pages[:-1])


def test_documents_keep_the_parent_of_their_pieces_and_drop_the_empty():
    units = [("long", "a" * 5000 + "\n\n" + "b" * 5000), ("tiny", "x"), ("other", "c" * 100)]
    found = list(documents.documents(units))
    assert [(d.name, d.parent, len(d.text)) for d in found] == [
        ("long", 0, 5000),
        ("long", 0, 5000),
        ("other", 2, 100),
    ]


@given(st.text(st.characters(), max_size=200))
def test_clean_text_is_valid_utf8_without_control_characters(text):
    cleaned = clean(text + "\ud800\x00\x1b")
    cleaned.encode("utf-8")
    assert not set(cleaned) & {chr(code) for code in range(32) if chr(code) not in "\t\n"}
