"""Bars where somebody watches, nothing where output is stored."""

import io
import sys

import pytest

from nemo_lab.progress import announce, progress, quiet, watched


class Screen(io.StringIO):
    def __init__(self, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


@pytest.fixture
def plain(monkeypatch):
    for name in ("NEMO_LAB_PROGRESS", "CI", "JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delitem(sys.modules, "ipykernel", raising=False)
    return monkeypatch


def use(plain, tty: bool) -> Screen:
    screen = Screen(tty)
    plain.setattr(sys, "stderr", screen)
    return screen


def test_terminal_yes_pipe_no(plain):
    use(plain, True)
    assert watched()
    use(plain, False)
    assert not watched()


def test_variable_overrides_both_ways(plain):
    use(plain, True)
    plain.setenv("NEMO_LAB_PROGRESS", "0")
    assert not watched()
    use(plain, False)
    plain.setenv("NEMO_LAB_PROGRESS", "1")
    assert watched()


def test_ci_is_silent_even_on_a_terminal(plain):
    use(plain, True)
    plain.setenv("CI", "true")
    assert not watched()


def test_kernel_is_watched_only_behind_a_front_end(plain):
    use(plain, False)
    plain.setitem(sys.modules, "ipykernel", object())
    assert not watched()
    plain.setenv("JPY_SESSION_NAME", "notebooks/05.ipynb")
    assert watched()
    plain.delitem(sys.modules, "ipykernel")
    assert not watched()  # a script started from a notebook's shell escape


def test_unwatched_bar_yields_everything_and_writes_nothing(plain):
    screen = use(plain, False)
    assert list(progress(range(5), desc="steps")) == [0, 1, 2, 3, 4]
    with progress(total=3) as bar, announce("building x …"):
        bar.update(2)
        bar.set_postfix(loss=1.0)
    assert screen.getvalue() == ""


def test_watched_bar_shows_and_removes_itself(plain):
    screen = use(plain, True)
    assert list(progress(range(3), desc="steps", unit="step")) == [0, 1, 2]
    assert "steps" in screen.getvalue()
    assert screen.getvalue().endswith("\r")


def test_announcement_is_one_line_that_goes_away(plain):
    screen = use(plain, True)
    with announce("building tokenizer …"):
        assert "building tokenizer …" in screen.getvalue()
    assert screen.getvalue().endswith("\r")
    assert "\n" not in screen.getvalue()


# --- the bars of other libraries


@pytest.mark.parametrize("shown", [True, False])
def test_bars_of_others_are_off_in_the_block_and_put_back(shown):
    from huggingface_hub import utils as hub
    from transformers.utils import logging

    def stop() -> None:
        with quiet():
            assert not logging.is_progress_bar_enabled()
            assert hub.are_progress_bars_disabled()
            raise ValueError("stop")

    set_bars(shown)
    try:
        with pytest.raises(ValueError, match="stop"):
            stop()
        assert logging.is_progress_bar_enabled() is shown
        assert hub.are_progress_bars_disabled() is not shown
    finally:
        set_bars(True)


def set_bars(shown: bool) -> None:
    from huggingface_hub import utils as hub
    from transformers.utils import logging

    (logging.enable_progress_bar if shown else logging.disable_progress_bar)()
    (hub.enable_progress_bars if shown else hub.disable_progress_bars)()


def test_a_bar_that_heeds_no_setting_is_not_seen_either(capsys):
    with quiet():
        print("17 %", file=sys.stderr)
    print("after", file=sys.stderr)
    assert capsys.readouterr().err == "after\n"


def test_remarks_are_silenced_only_where_that_is_asked_for():
    from transformers.utils import logging

    before = logging.get_verbosity()
    with quiet():
        assert logging.get_verbosity() == before
    with quiet(remarks=True):
        assert logging.get_verbosity() == logging.ERROR
    assert logging.get_verbosity() == before
