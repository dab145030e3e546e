"""Schedules agree with those of transformers at every update, and hit peak and minimum exactly."""

from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import optimization

from nemo_lab.training.schedules import learning_rate
from nemo_lab.training.settings import TrainSettings

PEAK = 0.5


def settings(**values):
    return TrainSettings(**{"steps": 50, "batch_size": 1, "peak_lr": PEAK, "warmup_steps": 7} | values)


def reference(make, **arguments):
    """Rates of a transformers scheduler at indices 1..50, which are our updates 1..50."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=PEAK)
    scheduler = make(optimizer, num_warmup_steps=7, **arguments)
    rates = []
    for _ in range(50):
        optimizer.step()
        scheduler.step()
        rates.append(scheduler.get_last_lr()[0])
    return rates


def ours(**values):
    return [learning_rate(update, settings(**values)) for update in range(1, 51)]


def test_cosine_is_that_of_transformers():
    theirs = reference(
        optimization.get_cosine_with_min_lr_schedule_with_warmup, num_training_steps=50, min_lr_rate=0.01
    )
    assert ours(schedule="cosine") == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize(("shape", "name"), [("linear", "linear"), ("minus_sqrt", "1-sqrt")])
def test_wsd_is_that_of_transformers_after_warmup(shape, name):
    """Their warm-up begins at the minimum, Megatron's and ours at zero."""
    theirs = reference(
        optimization.get_wsd_schedule,
        num_decay_steps=10,
        num_stable_steps=33,
        decay_type=name,
        min_lr_ratio=0.01,
    )
    assert ours(schedule="wsd", decay_shape=shape)[6:] == pytest.approx(theirs[6:], abs=1e-12)


def test_constant_is_that_of_transformers():
    theirs = reference(optimization.get_constant_schedule_with_warmup)
    assert ours(schedule="constant") == pytest.approx(theirs, abs=1e-12)


@given(
    st.sampled_from(["cosine", "wsd", "constant"]),
    st.sampled_from(["linear", "minus_sqrt"]),
    st.integers(0, 30),
    st.just(0.0) | st.floats(1e-6, 1),
    st.floats(0, 1),
)
def test_rates_rise_to_the_peak_then_never_rise(schedule, shape, warmup, low, fraction):
    s = settings(
        schedule=schedule,
        decay_shape=shape,
        warmup_steps=warmup,
        min_lr_ratio=low,
        decay_fraction=fraction,
    )
    rates = [learning_rate(update, s) for update in range(1, 51)]
    peak = max(warmup, 1) - 1
    assert all(a < b for a, b in pairwise(rates[: peak + 1]))
    assert all(a >= b - 1e-12 for a, b in pairwise(rates[peak:]))
    assert min(rates) > 0 or low == 0
    if warmup:
        assert rates[peak] == pytest.approx(PEAK)
    if schedule == "cosine":
        assert rates[-1] == pytest.approx(PEAK * low)
