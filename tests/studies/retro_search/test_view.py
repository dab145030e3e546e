"""The view side by side: steps are escaped, shared and changed ones marked."""

from nemo_lab.studies.retro_search.view import SideBySide


def test_the_view_escapes_and_marks() -> None:
    view = SideBySide("<img src=x>", "a\n\n<b>\n\nWait, <i>", "a\n\n&", ("wait",))
    shown = view._repr_html_()
    assert "<img" not in shown
    assert "<b>" not in shown
    assert "<i>" not in shown
    assert "&lt;b&gt;" in shown
    assert "font-weight:bold" in shown
    assert view.shared == 1
    assert repr(view).splitlines()[1:] == ["  3 steps: a | -<b> | -Wait, <i>", "  2 steps: a | +&"]
