"""Planted outliers and known spreads: the numbers that theory gives."""

import math

import pytest
import torch
from scipy.stats import norm

from nemo_lab.precision import Cast
from nemo_lab.studies.fp8_pretraining.made_tensors import (
    CASTS,
    flushed,
    flushed_shares,
    lognormal_tensor,
    outlier_errors,
    outlier_tensor,
    relative_error,
)
from tests.recorders import assert_seed_decides


def test_outliers_are_planted_where_they_should_be() -> None:
    x = outlier_tensor(1000.0, 0)
    assert x.shape == (256, 512)
    assert (x[:, :4].std() > 900) & (x[:, 4:].std() < 1.1)


def test_outliers_cost_one_scale_its_precision_and_a_tile_nothing_outside_it() -> None:
    errors = outlier_errors([1.0, 1e3, 1e6], seed=0)
    for name, cast in CASTS.items():
        low, _, high = errors[name]
        assert 1 < low < 12, name  # a rounding error of a few per cent
        assert (high > 60) == (name == "E4M3, one scale"), name  # nearly all ordinary values are zero
        if cast.tile is not None:
            assert high < 0.6 * errors["E4M3, one scale"][2]
    assert errors["E4M3, 1x128"][2] < 1.5 * errors["E4M3, 1x128"][0] + 100 / math.sqrt(4)


def test_spread_of_the_lognormal_tensor() -> None:
    x = lognormal_tensor(3.0, 0)
    assert float(x.abs().log2().std()) == pytest.approx(3.0, rel=0.02)
    assert float((x < 0).float().mean()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize(("fmt", "steps"), [("e4m3", math.log2(448) + 10), ("e5m2", math.log2(57344) + 17)])
def test_flushed_share_is_that_of_the_normal_distribution(fmt: str, steps: float) -> None:
    """An entry is lost when its log2 lies more than log2(max · 2 / smallest) below the largest one."""
    spread = 6.0
    x = lognormal_tensor(spread, 0)
    highest = float(x.abs().max().log2())
    share, energy = flushed(x, Cast(fmt))
    assert share == pytest.approx(100 * norm.cdf((highest - steps) / spread), abs=0.3)
    assert energy < 1e-3


def test_a_wider_spread_flushes_more_and_range_or_tiles_help() -> None:
    shares = {name: [share for share, _ in row] for name, row in flushed_shares([1.0, 4.0, 8.0], 0).items()}
    for name, (narrow, middle, wide) in shares.items():
        assert narrow <= middle < wide, name
    wide = {name: row[2] for name, row in shares.items()}
    assert wide["E4M3, 1x128"] < wide["E4M3, 128x128"] < wide["E4M3, one scale"]
    assert wide["E5M2, one scale"] < wide["E4M3, one scale"]


def test_zeros_do_not_count_as_flushed() -> None:
    assert flushed(torch.zeros(2, 2), Cast()) == (0.0, 0.0)
    assert flushed(torch.tensor([[1.0, 0.0, 1e-9, 0.0]]), Cast())[0] == 50.0


def test_relative_error_by_hand() -> None:
    x = torch.tensor([[3.0, -4.0]])
    assert relative_error(x, torch.tensor([[3.0, -3.5]])) == pytest.approx(10.0)
    assert relative_error(x, x) == 0


def test_seeds_decide_the_tensors():
    assert_seed_decides(lambda seed: outlier_tensor(8.0, seed).tolist())
    assert_seed_decides(lambda seed: lognormal_tensor(2.0, seed).tolist())
    assert_seed_decides(lambda seed: outlier_errors([8.0], seed))
    assert_seed_decides(lambda seed: flushed_shares([8.0], seed))
