"""Pools, tables and blends: exact shares, the same rows in every order, and a user's own folder end to end."""

import json
import math
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.mixing import blends, weights
from nemo_lab.mixing.pools import (
    Blend,
    MixingError,
    Pools,
    check_mixture,
    counts_of,
    draw_table,
    pools_by,
    simplex_grid,
)
from nemo_lab.training import pack
from tests.recorders import assert_seed_decides

LENGTH = 8


def simplex(least: int = 1, most: int = 6) -> st.SearchStrategy[list[float]]:
    """Mixtures of a few sources, some weights 0."""
    parts = st.lists(st.integers(0, 50), min_size=least, max_size=most).filter(any)
    return parts.map(lambda whole: [part / sum(whole) for part in whole])


def pools(*rows: int) -> Pools:
    """Sources a, b, … of so many rows each; every token of a source is in its own hundred."""
    made = {}
    for number, n in enumerate(rows):
        ids = [2 + 100 * number + i % 97 for i in range(n * LENGTH - 1)]
        made["abcdefgh"[number]] = pack([ids], LENGTH, eos=0)
    return Pools(made)


@settings(deadline=None)
@given(simplex(), st.integers(0, 500))
def test_counts_are_whole_and_within_one_of_the_share(mixture: list[float], total: int) -> None:
    counts = counts_of(mixture, total)
    assert counts.sum() == total
    assert counts.min() >= 0
    assert np.abs(counts - np.array(mixture) * total).max() < 1 + 1e-6


@settings(deadline=None)
@given(simplex(), st.integers(1, 20), st.integers(1, 16), st.integers(0, 99))
def test_a_table_holds_the_requested_shares(mixture: list[float], steps: int, batch: int, seed: int) -> None:
    """Exact over the run, hence far within the binomial error of independent draws."""
    table = draw_table(mixture, steps, batch, seed)
    assert table.shape == (steps, batch)
    shares = np.bincount(table.ravel(), minlength=len(mixture)) / table.size
    assert np.abs(shares - mixture).max() <= 1 / table.size + 1e-9


@settings(deadline=None)
@given(simplex(2, 5), st.integers(0, 99))
def test_within_a_run_the_shares_keep_within_binomial_error(mixture: list[float], seed: int) -> None:
    """The first half of a run is a fair sample too: five standard deviations of a binomial draw."""
    table = draw_table(mixture, 40, 16, seed)
    half = table[:20].ravel()
    for source, share in enumerate(mixture):
        error = np.sqrt(share * (1 - share) / half.size)
        assert abs((half == source).mean() - share) <= 5 * error + 1 / half.size


@settings(deadline=None)
@given(simplex(3, 3), st.integers(0, 99))
def test_every_order_reads_the_same_rows(mixture: list[float], seed: int) -> None:
    own = pools(3, 5, 7)
    table = draw_table(mixture, 6, 4, seed)
    other = np.random.default_rng(seed).permutation(table.ravel()).reshape(table.shape)
    first, second = (rows_read(Blend(own, t, seed), 6) for t in (table, other))
    assert first == second


def rows_read(blend: Blend, steps: int) -> Counter[tuple[int, ...]]:
    return Counter(tuple(row) for step in range(steps) for row in blend(step).tokens_BL.tolist())


def test_a_blend_reads_every_row_once_before_any_twice() -> None:
    own = pools(4, 6)
    blend = Blend(own, draw_table([0.4, 0.6], 5, 4, 0), seed=3)
    assert blend.epochs_K.tolist() == [2.0, 2.0]
    assert set(rows_read(blend, 5).values()) == {2}
    once = Blend(own, draw_table([0.4, 0.6], 5, 2, 0), seed=3)
    assert set(rows_read(once, 5).values()) == {1}


def test_batches_hold_the_sources_of_the_table() -> None:
    own = pools(5, 5, 5)
    table = draw_table([0.2, 0.3, 0.5], 5, 4, 1)
    blend = Blend(own, table, 1)
    for step in range(5):
        tokens_BL = blend(step).tokens_BL
        largest = tokens_BL.max(dim=1).values.numpy()  # the first token of a row may be eos
        assert ((largest - 2) // 100).tolist() == table[step].tolist()


def test_fingerprints_tell_runs_apart() -> None:
    own = pools(5, 5)
    table = draw_table([0.5, 0.5], 5, 4, 1)
    marks = {Blend(own, table, 1).fingerprint, Blend(own, table[::-1].copy(), 1).fingerprint}
    marks |= {Blend(own, table, 2).fingerprint, Blend(pools(5, 6), table, 1).fingerprint}
    assert len(marks) == 4


@pytest.mark.parametrize(
    ("mixture", "words"),
    [([0.5, 0.6], "sum to 1.1"), ([1.5, -0.5], "not be negative|not negative"), ([1.0], "1 weights for 2")],
)
def test_what_is_no_mixture_is_refused(mixture: list[float], words: str) -> None:
    with pytest.raises(MixingError, match=words):
        check_mixture(mixture, 2)


def test_a_table_with_an_unknown_source_is_refused() -> None:
    with pytest.raises(MixingError, match="sources 0 to 1"):
        Blend(pools(2, 2), np.array([[0, 2]]))


def test_rows_of_different_lengths_are_refused() -> None:
    with pytest.raises(MixingError, match="lengths"):
        Pools({"a": pack([[1, 2, 3]], 4, eos=0), "b": pack([[1, 2, 3]], 5, eos=0)})


def test_natural_and_uniform_mixtures() -> None:
    own = pools(2, 6)
    assert own.natural_K.tolist() == [0.25, 0.75]
    assert own.uniform_K.tolist() == [0.5, 0.5]
    assert own.length == LENGTH


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's own folder: two jsonl files."""
    where = tmp_path_factory.mktemp("mine")
    for name in ("notes", "mail"):
        lines = [json.dumps({"text": f"{name} {i}: some words of mine, again and again. " * 4}) for i in range(30)]
        (where / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return where


def test_a_folder_of_jsonl_becomes_a_two_phase_run(folder: Path) -> None:
    """corpora.load → pools_by → design → train, on the text of a user."""
    from datasets import concatenate_datasets
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    from nemo_lab import corpora
    from nemo_lab.modeling import HybridConfig, HybridLM
    from nemo_lab.training import TrainSettings, train

    parts = [corpora.load(path) for path in sorted(folder.glob("*.jsonl"))]
    named = zip(parts, ("mail", "notes"), strict=True)
    own = concatenate_datasets([part.add_column("corpus", [name] * len(part)) for part, name in named])
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.train_from_iterator(own["text"], trainers.BpeTrainer(vocab_size=300, special_tokens=["<|endoftext|>"]))
    packed = pools_by(own, "corpus", tokenizer, 32)
    assert packed.names == ["mail", "notes"]

    schedule = blends.design(weights.sources_of(packed, {"notes": 1.0}), horizon=6 * 4 * 32)
    blend = schedule.blend(packed, steps=6, batch_size=4, seed=0)
    config = HybridConfig(pattern="*-", d_model=32, d_ff=64, n_heads=1, n_kv_heads=1, head_dim=32, vocab_size=300)
    model = HybridLM(config, seed=0)
    history = train(model, blend, TrainSettings(6, 4, 3e-2), progress=False)
    assert history.loss.iloc[-1] < history.loss.iloc[0]
    assert history.tokens.iloc[-1] > 0.9 * 6 * 4 * 32
    assert all(torch.isfinite(parameter).all() for parameter in model.parameters())


def test_a_whole_folder_is_one_source(folder: Path) -> None:
    from nemo_lab import corpora

    assert len(corpora.load(folder)) == 60


@given(sources=st.integers(1, 5), steps=st.integers(1, 6))
def test_the_grid_is_the_whole_simplex_once(sources: int, steps: int) -> None:
    grid = simplex_grid(sources, steps)
    assert len(grid) == math.comb(steps + sources - 1, sources - 1)
    assert len(np.unique((grid * steps).round().astype(int), axis=0)) == len(grid)
    assert np.allclose(grid.sum(1), 1)
    assert np.allclose(grid * steps, (grid * steps).round())


def test_an_empty_grid_is_refused() -> None:
    with pytest.raises(MixingError, match="steps is 0; it must be a whole number of at least 1"):
        simplex_grid(3, 0)
    with pytest.raises(MixingError, match=r"sources is 1\.5"):
        simplex_grid(1.5, 2)  # type: ignore[arg-type]


@pytest.mark.parametrize("weights", [None, "ab", ["a", "b"], 5, [], [[0.5, 0.5]], [math.nan, 1.0], [math.inf, 0.0]])
def test_weights_are_a_number_for_each_source(weights: Any) -> None:
    with pytest.raises(MixingError, match=r"weights (are|for)|The weights|weights sum"):
        check_mixture(weights, 2)
    with pytest.raises(MixingError, match="There are 0 weights for 0 sources"):
        check_mixture([], 0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: draw_table([0.5, 0.5], -1, 2, 0), "steps is -1"),
        (lambda: draw_table([0.5, 0.5], 2, 0, 0), "batch_size is 0"),
        (lambda: draw_table([0.5, 0.5], 2, 2, None), "seed is None"),  # type: ignore[arg-type]
        (lambda: counts_of([0.5, 0.5], 1.5), "total is 1.5"),  # type: ignore[arg-type]
        (lambda: Pools({"a": None}), "rows are .* expected packed rows"),  # type: ignore[dict-item]
        (lambda: Pools(None), "rows are None"),  # type: ignore[arg-type]
    ],
)
def test_what_no_run_can_read_is_one_sentence(call: Callable[[], object], words: str) -> None:
    with pytest.raises(MixingError, match=words):
        call()


def test_each_source_is_read_in_an_order_of_its_own_and_of_the_seed():
    """Sources of one size in one order would show the same places of both at the same steps."""
    table = draw_table([0.5, 0.5], 12, 8, seed=0)
    one = pack([[1 + k] * 15 for k in range(40)], 16, eos=0)
    pools = Pools({"a": one, "b": one})

    def order(seed, source):
        blend = Blend(pools, table, seed)
        return [int(row[1]) for step in range(12) for row in blend(step).tokens_BL[blend.table_SB[step] == source]]

    orders = [order(seed, source) for seed in (0, 1) for source in (0, 1)]
    assert all(len(one) == 48 for one in orders)
    assert len(set(map(tuple, orders))) == 4


def test_the_seed_decides_the_table():
    assert_seed_decides(lambda seed: draw_table([0.3, 0.7], 6, 8, seed).tolist())
