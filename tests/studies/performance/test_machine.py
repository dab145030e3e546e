"""Timing: ratios that survive a noisy machine, limits that are limits, and names of operations."""

import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from nemo_lab.errors import LabError
from nemo_lab.studies.performance import machine
from nemo_lab.timing import best_seconds, interleaved, median_interval, summary


@pytest.fixture
def spend(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A function that moves the clock on; no time passes otherwise, however busy the machine."""
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_a_known_ratio_is_found(spend: Callable[[float], None]) -> None:
    found = summary(interleaved({"slow": lambda: spend(0.006), "fast": lambda: spend(0.002)}, 7))
    assert found.loc["slow", "ratio"] == 1
    assert found.loc["fast", ["min", "median"]].tolist() == pytest.approx([0.002, 0.002])
    assert found.loc["fast", ["low", "ratio", "high"]].tolist() == pytest.approx([3, 3, 3])


def test_drift_of_the_machine_does_not_move_the_ratio() -> None:
    """All slows down fourfold over the rounds, and one is disturbed. Averages would be fooled."""
    speed = np.linspace(1, 4, 9)
    seconds = pd.DataFrame({"a": 2 * speed, "b": speed})
    seconds.loc[4, "b"] = 100
    found = summary(seconds)
    assert found.loc["b", "ratio"] == pytest.approx(2)
    assert found.loc["b", "low"] == pytest.approx(2)
    assert found.loc["b", "high"] == pytest.approx(2)
    assert seconds["a"].mean() / seconds["b"].mean() < 1


@pytest.mark.parametrize("n", [1, 2, 5, 6, 9, 15, 40])
def test_interval_is_the_sign_test(n: int) -> None:
    samples = np.random.default_rng(n).normal(size=n).tolist()
    median, low, high, coverage = median_interval(samples)
    assert median == pytest.approx(np.median(samples))
    k = sorted(samples).index(low) + 1
    assert high == sorted(samples)[n - k]
    assert coverage == pytest.approx(1 - 2 * stats.binom.cdf(k - 1, n, 0.5), abs=1e-12)
    assert coverage >= 0.95 or k == 1
    if n > 5:
        assert 1 - 2 * stats.binom.cdf(k, n, 0.5) < 0.95, "a narrower interval would have done"


def test_coverage_holds_for_skewed_noise() -> None:
    """Planted median, log-normal noise: the interval covers it as often as it says."""
    rng = np.random.default_rng(0)
    hits = []
    for _ in range(2000):
        _, low, high, coverage = median_interval(rng.lognormal(size=9).tolist())
        hits.append(low <= 1 <= high)
    assert np.mean(hits) == pytest.approx(coverage, abs=0.015)


def test_no_samples_have_no_interval() -> None:
    with pytest.raises(LabError, match="no samples"):
        median_interval([])


def test_best_seconds_is_about_the_action() -> None:
    """At least what the shortest call took, and not the sum over its repeats."""
    took: list[float] = []

    def action() -> None:
        began = time.perf_counter()
        while time.perf_counter() < began + 0.003:
            pass
        took.append(time.perf_counter() - began)

    assert min(took, default=0.003) <= best_seconds(action, 0.03) < 2 * max(took)
    assert len(took) > 2


def test_limits_have_every_row_and_grow_out_of_overhead() -> None:
    rates = machine.matmul_rates([8, 256], ["float32"], budget=0.01)
    assert rates["size"].tolist() == [8, 256]
    assert rates["flops"].iloc[1] > 10 * rates["flops"].iloc[0]
    moved = machine.bandwidths([0.1, 1.0], budget=0.01)
    assert moved["loop"].tolist() == ["read", "copy", "triad"] * 2
    assert (moved["bytes"] > 1e8).all()


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("aten::mm", "matmul"),
        ("aten::addmm", "matmul"),
        ("mkldnn::_linear_pointwise", "matmul"),
        ("aten::bmm", "batched matmul"),
        ("aten::mul", machine.OTHER),
        ("aten::addcmul_", machine.OTHER),
        ("aten::copy_", "copies and fills"),
        ("aten::_softmax", "attention"),
        ("aten::_fused_adamw_", "optimizer"),
        ("Optimizer.step#AdamW.step", "optimizer"),
        ("aten::zero_", "copies and fills"),
        ("aten::convolution_backward", "convolution"),
        ("_ChunkedSSDBackward", machine.PYTHON),
        ("aten::cumsum", machine.OTHER),
    ],
)
def test_operations_have_a_kind(operation: str, kind: str) -> None:
    assert machine.kind_of(operation) == kind


def test_grouping_loses_no_second() -> None:
    spent = {"aten::mm": 1.0, "aten::bmm": 2.0, "aten::add": 4.0, "something::new": 8.0, "MulBackward0": 16.0}
    groups = machine.grouped(spent)
    assert sum(groups.values()) == 31
    assert groups["matmul"] == 1
    assert groups[machine.OTHER] == 12
    assert groups[machine.PYTHON] == 16
