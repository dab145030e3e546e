"""Sources and their weights: what is on the simplex stays there, and no source is read too often."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.mixing import blends, weights
from nemo_lab.mixing.pools import MixingError
from nemo_lab.mixing.weights import Source
from tests.mixing.tiny_sources import PAIR, some_sources, tiny_pools

CLOSE = 1e-9


def horizon_for(sources: list[Source], epochs: float = 4.0) -> int:
    """A horizon that the sources can fill twice over at the limit of epochs."""
    return max(1, int(epochs * sum(source.tokens for source in sources) / 2))


@settings(deadline=None)
@given(some_sources(), st.floats(0.1, 30))
def test_quality_blend_is_a_mixture_within_the_epochs(sources: list[Source], ratio: float) -> None:
    horizon = horizon_for(sources)
    w_K = weights.quality_blend(sources, horizon, ratio=ratio)
    assert w_K.sum() == pytest.approx(1)
    assert w_K.min() >= 0
    epochs_K = blends.one_phase(sources, w_K, horizon).epochs_K
    assert epochs_K.max() <= 4 * (1 + 1e-6)


@settings(deadline=None)
@given(some_sources())
def test_better_sources_weigh_more_unless_they_are_full(sources: list[Source]) -> None:
    horizon = horizon_for(sources)
    w_K = weights.quality_blend(sources, horizon, ratio=4)
    limit_K = 4 * np.array([source.tokens for source in sources]) / horizon
    for i, better in enumerate(sources):
        for j, worse in enumerate(sources):
            if better.quality >= worse.quality and w_K[i] < limit_K[i] * (1 - 1e-6):
                assert w_K[i] >= w_K[j] - CLOSE


def test_quality_blend_by_hand() -> None:
    sources = [Source("a", 1000, 0.0), Source("b", 1000, 1.0), Source("c", 10, 2.0)]
    w_K = weights.quality_blend(sources, 1000, ratio=4)  # wanted 1 : 2 : 4; c is full at 4 %
    assert w_K == pytest.approx([0.32, 0.64, 0.04])
    assert weights.quality_blend(sources, 10, ratio=4) == pytest.approx([1 / 7, 2 / 7, 4 / 7])
    assert weights.quality_blend(sources[:1], 10) == pytest.approx([1.0])


def test_equal_quality_gives_equal_weights() -> None:
    sources = [Source("a", 900, 3.0), Source("b", 400, 3.0)]
    assert weights.quality_blend(sources, 1000) == pytest.approx([0.5, 0.5])


def test_a_horizon_that_cannot_be_filled_is_refused() -> None:
    with pytest.raises(MixingError, match="fill 40% of a horizon of 1,000"):
        weights.quality_blend([Source("a", 50), Source("b", 50)], 1000)
    with pytest.raises(MixingError, match="ratio"):
        weights.quality_blend([Source("a", 50)], 10, ratio=0)


@settings(deadline=None)
@given(some_sources(), st.floats(-3, 3))
def test_power_blends_are_mixtures(sources: list[Source], power: float) -> None:
    w_K = weights.power_blend(sources, power)
    assert w_K.sum() == pytest.approx(1)
    sizes = np.array([source.tokens for source in sources], dtype=float)
    assert weights.natural_blend(sources) == pytest.approx(sizes / sizes.sum())
    assert weights.power_blend(sources, 0) == pytest.approx(1 / len(sources))


@settings(deadline=None)
@given(some_sources())
def test_dealing_in_reverse_keeps_the_weights_and_undoes_itself(sources: list[Source]) -> None:
    quality_K = np.array([source.quality for source in sources])
    w_K = weights.natural_blend(sources)
    dealt_K = weights.deal_reversed(w_K, quality_K)
    assert sorted(dealt_K) == pytest.approx(sorted(w_K))
    assert weights.deal_reversed(dealt_K, quality_K) == pytest.approx(w_K)
    assert dealt_K[quality_K.argmax()] == w_K[np.argsort(quality_K, kind="stable")[0]] or len(set(quality_K)) < len(
        quality_K
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": None}, "name of a source is None"),
        ({"tokens": 0}, "tokens of source 'web' is 0; it must be a finite number at least 1"),
        ({"tokens": np.nan}, "tokens of source 'web' is nan"),
        ({"tokens": "9"}, "tokens of source 'web' is '9'"),
        ({"quality": np.inf}, "quality of source 'web' is inf"),
        ({"quality": None}, "quality of source 'web' is None"),
    ],
)
def test_a_source_has_tokens_and_a_quality(change: dict[str, Any], words: str) -> None:
    with pytest.raises(MixingError, match=words):
        Source(**{"name": "web", "tokens": 10} | change)


@pytest.mark.parametrize("change", [{"ratio": np.nan}, {"ratio": np.inf}, {"max_epochs": np.nan}, {"horizon": np.nan}])
def test_weights_that_are_no_numbers_never_come_out(change: dict[str, Any]) -> None:
    with pytest.raises(MixingError, match="cannot be filled; give a finite ratio, horizon and max_epochs"):
        weights.quality_blend(PAIR, **{"horizon": 100} | change)
    with pytest.raises(MixingError, match="power is nan; it must be a finite number"):
        weights.power_blend(PAIR, np.nan)


@pytest.mark.parametrize(("tokens", "quality"), [(0, 0.0), (5, float("nan"))])
def test_what_is_no_source_is_refused(tokens: int, quality: float) -> None:
    with pytest.raises(MixingError):
        Source("a", tokens, quality)


def test_sources_take_their_tokens_from_the_pools() -> None:
    sources = weights.sources_of(tiny_pools(), {"b": 2.0})
    assert [(s.name, s.tokens, s.quality) for s in sources] == [("a", 96, 0.0), ("b", 96, 2.0)]
    with pytest.raises(MixingError, match="source"):
        weights.sources_of(tiny_pools(), {"c": 1.0})
