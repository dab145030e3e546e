"""Live objects: what code they run, wherever it was defined."""

from functools import partial

import pytest

from nemo_lab.errors import LabError
from nemo_lab.sources import code_of


def doubled(x: int) -> int:
    return 2 * x


FACTOR = 3


def scaled(x: int) -> int:
    return FACTOR * doubled(x)


def test_live_functions_are_followed_into_closures_partials_and_globals(monkeypatch):
    def within(function):
        return lambda x: function(x)

    assert code_of(within(doubled)) == code_of(within(doubled))
    assert len({code_of(within(doubled)), code_of(within(scaled)), code_of(doubled), code_of(scaled)}) == 4
    before = code_of(partial(scaled))
    monkeypatch.setitem(globals(), "FACTOR", 4)
    assert code_of(partial(scaled)) != before


def test_what_has_no_source_is_refused():
    with pytest.raises(LabError, match="'len'"):
        code_of(len)
