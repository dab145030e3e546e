"""Sources and pools small enough for tests, drawn and fixed."""

from typing import Any

from hypothesis import strategies as st

from nemo_lab.mixing.pools import Pools
from nemo_lab.mixing.weights import Source
from nemo_lab.training import pack


@st.composite
def some_sources(draw: Any, least: int = 2) -> list[Source]:
    count = draw(st.integers(least, 6))
    numbers = st.integers(1, 10_000)
    return [
        Source(f"s{i}", draw(numbers), draw(st.floats(-5, 5, allow_subnormal=False)) if i else 0.0)
        for i in range(count)
    ]


PAIR = [Source("web", 1000, 0.0), Source("books", 500, 1.0)]


def tiny_pools() -> Pools:
    return Pools({name: pack([[low + i % 9 for i in range(95)]], 8, eos=0) for name, low in (("a", 1), ("b", 20))})
