"""What is held back leaves a word that cannot be in the page, and comes back as it was."""

from nemo_lab.curation.pages.placeholders import CODE, Shelf


def test_words_that_stand_for_things_cannot_be_in_the_page() -> None:
    first = Shelf.for_page("text")
    again = Shelf.for_page(f"text {first.mark}")
    assert again.mark not in f"text {first.mark}"
    assert Shelf.for_page("text").mark == first.mark
    word = first.keep("i", " x \n ")
    assert first.restore(f"a {word}, {word}. {first.mark}i7z")[0] == "a $x$, $x$. "
    fence = first.keep(CODE, "a ``` b", "c")
    assert first.restore(fence)[0] == "\n\n````c\na ``` b\n````\n\n"
