"""What a user gets wrong: a call must end as one short sentence of `LabError`."""

from collections.abc import Callable
from typing import Any

import pytest

from nemo_lab.errors import LabError

Call = Callable[[], object]


def refused(call: Call, words: str | None = None) -> None:
    """The call raises one short sentence, with these words."""
    with pytest.raises(LabError, match=words) as caught:
        call()
    assert str(caught.value).endswith(".")
    assert len(str(caught.value)) < 250
    assert "\n" not in str(caught.value)


def one_wrong(table: dict[str, list[Any]]) -> Any:
    """A parameter `name` with each of its senseless `wrong` values."""
    pairs = [(name, wrong) for name, values in table.items() for wrong in values]
    return pytest.mark.parametrize(("name", "wrong"), pairs, ids=[f"{n}={str(w)[:20]!r}" for n, w in pairs])
