"""Dictionaries in the form of dictd: numbers, wrapped lines and figures."""

from nemo_lab.corpora.readers import dictd


def test_dictd_numbers_are_base_64():
    assert [dictd.number(digits) for digits in ("A", "B", "/", "BA", "Eb")] == [0, 1, 63, 64, 283]


def test_dictd_undoes_wrapping_and_removes_marks():
    head = "Daunt \\Daunt\\, v. t. [imp. {Daunted}; p.\n   pr. {Daunting}.]\n"
    raw = head + "   1. To overcome; to\n      conquer. [Obs.]"
    text = dictd.reflow(dictd._SOURCE_MARK.sub("", raw + "\n      [1913 Webster]"), figures=False)
    assert text == "Daunt \\Daunt\\, v. t. [imp. Daunted; p. pr. Daunting.]\n1. To overcome; to conquer. [Obs.]"


def test_dictd_keeps_figures_where_asked():
    figure = "  +----+    +----+\n  | ab |====| cd |"
    assert dictd.reflow(figure, figures=True) == "+----+    +----+\n| ab |====| cd |"
    assert "\n" not in dictd.reflow(figure, figures=False)
