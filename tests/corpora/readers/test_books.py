"""Books: the tagged Brown corpus, and novels cut at their chapters."""

from nemo_lab.corpora.readers import books


def test_brown_tags_and_blanks_go():
    text = "\n\n\tHe/pps said/vbd ``/`` yes/rb ''/'' ,/, and/or/cc (/( so/rb )/) on/rp ./."
    text += "\n\n\n\tNext/ap ?/. ?/.\n"
    assert books.untagged(text) == "He said “yes”, and/or (so) on.\n\nNext??"


def test_novels_are_cut_at_chapters():
    lines = [
        "EMMA",
        "",
        "CHAPTER I",
        "",
        "Emma Woodhouse,",
        "handsome.",
        "",
        "She",
        "CHAPTER II",
        "Mr. Weston",
    ]
    assert books.chapters(lines) == [
        "EMMA",
        "CHAPTER I\n\nEmma Woodhouse, handsome.\n\nShe",
        "CHAPTER II Mr. Weston",
    ]
