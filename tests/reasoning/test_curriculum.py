"""The curriculum: exact batches, every prompt at most once, easy before hard."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.reasoning import curriculum
from nemo_lab.reasoning.curriculum import (
    allocate,
    fixed_batches,
    gaussian_batches,
    random_batches,
    reversed_batches,
)
from nemo_lab.training.settings import TrainingError
from tests.reasoning.refusals import Call, refused
from tests.recorders import assert_seed_decides

RATES = st.lists(st.integers(0, 8), min_size=1, max_size=120)


@settings(deadline=None)
@given(RATES, st.integers(1, 6), st.integers(1, 10), st.floats(0.02, 1.0))
def test_batches_are_exact_and_use_each_prompt_once(counts, batches, size, sigma):
    rates = [k / 8 for k in counts]
    usable = {i for i, rate in enumerate(rates) if rate < 0.75}
    if batches * size > len(usable):
        with pytest.raises(TrainingError, match="are left below"):
            gaussian_batches(rates, batches, size, sigma=sigma)
        return
    made = gaussian_batches(rates, batches, size, sigma=sigma)
    assert [len(batch) for batch in made] == [size] * batches
    used = np.concatenate(made).tolist()
    assert len(set(used)) == len(used)
    assert set(used) <= usable


def test_easy_comes_before_hard():
    rates = np.repeat(np.arange(9) / 8, 200)
    means = [np.mean(rates[batch]) for batch in gaussian_batches(rates, 10, 32)]
    assert all(later <= earlier + 0.02 for earlier, later in itertools.pairwise(means))
    assert means[0] > 0.45
    assert means[-1] < 0.2


def test_controls_use_the_same_prompts():
    rates = np.random.default_rng(0).integers(0, 7, 400) / 8
    curriculum = gaussian_batches(rates, 8, 16)
    used = sorted(np.concatenate(curriculum).tolist())
    for control in (random_batches, reversed_batches):
        made = control(rates, 8, 16)
        assert sorted(np.concatenate(made).tolist()) == used
        assert any((a != b).any() for a, b in zip(made, curriculum, strict=True))
    means = [np.mean(rates[batch]) for batch in fixed_batches(rates, 4, 16)]
    assert max(means) - min(means) < 0.1


@given(st.floats(0, 1), st.floats(0.01, 2), st.lists(st.integers(0, 20), min_size=9, max_size=9), st.integers(0, 40))
def test_allocation_fits_what_there_is(mu, sigma, available, size):
    size = min(size, sum(available))
    counts = allocate(mu, sigma, available, size)
    assert sum(counts) == size
    assert all(0 <= count <= there for count, there in zip(counts, available, strict=True))


def test_an_empty_bin_is_filled_from_the_fullest():
    assert allocate(0.5, 0.01, [9, 0, 0, 0, 0, 0, 0, 0, 3], 4) == [4, 0, 0, 0, 0, 0, 0, 0, 0]


def test_mistakes_are_named():
    with pytest.raises(TrainingError, match=r"pass rate is 1\.5"):
        gaussian_batches([0.5, 1.5], 1, 1)
    with pytest.raises(TrainingError, match="sigma is 0"):
        gaussian_batches([0.5], 1, 1, sigma=0.0)


NAN = math.nan


@pytest.mark.parametrize(
    "call",
    [
        lambda: curriculum.gaussian_batches([0.5], 1, 0),
        lambda: curriculum.gaussian_batches([0.5], None, 1),  # type: ignore[arg-type]
        lambda: curriculum.gaussian_batches([0.5], 1, 1, centres=(NAN, NAN)),
    ],
)
def test_batches_that_cannot_be(call: Call) -> None:
    refused(call)


MIXED = (np.arange(200) % 7 / 8).tolist()


@pytest.mark.parametrize("order", [gaussian_batches, fixed_batches, reversed_batches, random_batches])
def test_the_seed_decides_which_prompts_and_in_which_order(order):
    assert_seed_decides(lambda seed: [batch.tolist() for batch in order(MIXED, 4, 8, seed=seed)])
    first, second = (np.concatenate(order(MIXED, 4, 8, seed=seed)).tolist() for seed in (0, 1))
    assert sorted(first) != sorted(second)


def test_random_order_is_no_order_of_difficulty():
    rates = np.array(MIXED)
    for seed in range(3):
        made = random_batches(MIXED, 8, 16, seed=seed)
        assert np.corrcoef(range(8), [rates[batch].mean() for batch in made])[0, 1] > -0.8
        assert sorted(np.concatenate(made)) == sorted(np.concatenate(gaussian_batches(MIXED, 8, 16, seed=seed)))
