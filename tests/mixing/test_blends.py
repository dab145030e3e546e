"""Schedules and their phases: what is on the simplex stays there, epochs are what they should be."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.mixing import blends, horizons, weights
from nemo_lab.mixing.blends import BlendSchedule, Phase
from nemo_lab.mixing.pools import MixingError
from nemo_lab.mixing.weights import Source
from nemo_lab.studies.two_phase_pretraining import runs
from nemo_lab.training import TrainSettings
from tests.mixing.tiny_sources import PAIR, some_sources, tiny_pools
from tests.recorders import assert_seed_decides

# --- phases


@settings(deadline=None)
@given(some_sources(), st.floats(0.05, 0.95), st.floats(0.1, 1000))
def test_splitting_keeps_the_aggregate(sources: list[Source], switch: float, odds: float) -> None:
    w_K = weights.natural_blend(sources)
    quality_K = np.array([source.quality for source in sources])
    schedule = BlendSchedule(tuple(sources), blends.split_phases(w_K, quality_K, switch, odds=odds), 1000)
    assert schedule.aggregate_K == pytest.approx(w_K, abs=1e-6)
    assert schedule.weights_PK.sum(1) == pytest.approx(1)
    assert schedule.weights_PK.min() >= 0


def test_splitting_sends_the_best_source_late() -> None:
    phases = blends.split_phases(np.array([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 2.0]), 0.6, odds=16)
    late = [late / early for early, late in zip(phases[0].weights, phases[1].weights, strict=True)]
    assert late == sorted(late)
    assert late[2] / late[0] == pytest.approx(16)  # odds, the phases' lengths cancel
    same = blends.split_phases(np.array([0.5, 0.5]), np.array([0.0, 1.0]), 0.3, odds=1)
    assert same[0].weights == pytest.approx(same[1].weights)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"switch": 0.0}, "switch is 0.0; it must be a finite number above 0"),
        ({"switch": 1.0}, "switch is 1.0; it must be below 1"),
        ({"switch": np.nan}, "switch is nan"),
        ({"odds": 0}, "odds is 0; it must be a finite number above 0"),
        ({"odds": np.inf}, "odds is inf"),
        ({"odds": None}, "odds is None"),
        ({"quality_K": [np.nan, 1.0]}, "quality is nan"),
        ({"quality_K": [1.0]}, "2 weights for 1 sources"),
        ({"aggregate_K": "ab"}, "The weights are 'ab', expected a number for each source"),
    ],
)
def test_an_impossible_split_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(MixingError, match=words):
        blends.split_phases(**{"aggregate_K": np.array([0.5, 0.5]), "quality_K": np.array([0.0, 1.0])} | change)


@pytest.mark.parametrize("sources", [None, [], 5, "ab", ["web"], {}])
def test_blends_are_of_sources(sources: Any) -> None:
    calls = [
        lambda: weights.natural_blend(sources),
        lambda: weights.power_blend(sources, 0.5),
        lambda: blends.design(sources, 100),
        lambda: blends.one_phase(sources, [1.0], 100),
    ]
    for call in calls:
        with pytest.raises(MixingError, match=r"sources are .*, expected a list of Source, at least one"):
            call()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"horizon": 0}, "horizon is 0; it must be a finite number at least 1"),
        ({"horizon": np.nan}, "horizon is nan"),
        ({"ratio": -1}, "ratio is -1; it must be a finite number above 0"),
        ({"ratio": np.inf}, "ratio is inf"),
        ({"ratio": "4"}, "ratio is '4'"),
        ({"max_epochs": np.nan}, "max_epochs is nan"),
        ({"max_epochs": -1}, "max_epochs is -1"),
    ],
)
def test_a_design_is_of_numbers(change: dict[str, Any], words: str) -> None:
    with pytest.raises(MixingError, match=words):
        blends.design(PAIR, **{"horizon": 100} | change)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: blends.one_phase(PAIR, [np.nan, 1], 9), "must be finite and not negative"),
        (lambda: blends.one_phase(PAIR, None, 9), "weights"),  # type: ignore[arg-type]
        (lambda: blends.one_phase(PAIR, [0.5, 0.5], np.nan), "horizon is nan"),  # type: ignore[arg-type]
        (lambda: TWO.at(0), "horizon is 0"),
        (lambda: TWO.warnings(np.nan), "max_epochs is nan"),
        (lambda: BlendSchedule(tuple(PAIR), (), 9), r"phases are \(\), expected Phase"),
        (lambda: BlendSchedule(tuple(PAIR), ("a",), 9), "phases are .*, expected Phase"),  # type: ignore[arg-type]
        (lambda: TWO.table(0, 2, 0), "steps is 0"),
        (lambda: TWO.table(2, 1.5, 0), "batch_size is 1.5"),  # type: ignore[arg-type]
        (lambda: TWO.table(2, 2, -1), "seed is -1"),
        (lambda: TWO.blend(None, 2, 2, 0), "pools are None, expected Pools"),  # type: ignore[arg-type]
        (lambda: weights.sources_of({}), "expected Pools and a number by name"),  # type: ignore[arg-type]
        (lambda: horizons.graded_sizes([], 9, 2), "no names to give sizes"),
        (lambda: horizons.graded_sizes(["a"], np.nan, 2), "total is nan"),
        (lambda: horizons.graded_sizes(["a"], 9, 0), "ratio is 0"),
        (lambda: horizons.cut_to(None, {"a": np.nan}, {"a": 9}), "tokens of 'a' is nan"),  # type: ignore[arg-type]
    ],
)
def test_no_schedule_of_what_is_no_number(call: Any, words: str) -> None:
    with pytest.raises(MixingError, match=words):
        call()


TWO = BlendSchedule(
    (Source("web", 1000, 0.0), Source("books", 50, 1.0)),
    (Phase(0.6, (0.9, 0.1)), Phase(0.4, (0.4, 0.6))),
    1000,
)


def test_epochs_by_hand() -> None:
    assert TWO.tokens_PK == pytest.approx(np.array([[540, 60], [160, 240]]))
    assert TWO.epochs_K == pytest.approx([0.7, 6.0])
    assert TWO.aggregate_K == pytest.approx([0.7, 0.3])
    assert TWO.at(500).epochs_K == pytest.approx([0.35, 3.0])
    summary = TWO.summary()
    assert summary.loc["books", "epochs"] == pytest.approx(6.0)
    assert summary["run, tokens"].sum() == pytest.approx(1000)


def test_warnings_say_what_a_source_can_carry() -> None:
    assert TWO.warnings() == ["books is read 6.0 times, more than 4; up to 4 epochs it can carry 20.0% of the run."]
    assert TWO.warnings(6) == []


def test_quality_reversed_deals_every_phase() -> None:
    turned = TWO.with_quality_reversed()
    assert turned.weights_PK == pytest.approx(TWO.weights_PK[:, ::-1])
    assert turned.with_quality_reversed().weights_PK == pytest.approx(TWO.weights_PK)


@settings(deadline=None)
@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 50))
def test_all_orders_hold_the_same_rows(steps: int, batch: int, seed: int) -> None:
    tables = {order: TWO.table(steps, batch, seed, order) for order in blends.ORDERS}
    counts = {order: np.bincount(table.ravel(), minlength=2).tolist() for order, table in tables.items()}
    assert counts["scheduled"] == counts["random"] == counts["reversed"]
    assert {table.shape for table in tables.values()} == {(steps, batch)}


def test_phases_fall_where_they_should() -> None:
    table = TWO.table(10, 100, 0)
    assert (table[:6] == 1).mean() == pytest.approx(0.1)
    assert (table[6:] == 1).mean() == pytest.approx(0.6)
    turned = TWO.table(10, 100, 0, "reversed")
    assert (turned[:4] == 1).mean() == pytest.approx(0.6)
    mixed = TWO.table(10, 100, 0, "random")
    assert abs((mixed[:5] == 1).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 500)


def test_an_unknown_order_lists_the_known() -> None:
    with pytest.raises(MixingError, match="scheduled"):
        TWO.table(5, 5, 0, "backwards")


@pytest.mark.parametrize(
    ("sources", "phases", "horizon"),
    [
        ((Source("a", 1), Source("a", 1)), (Phase(1.0, (0.5, 0.5)),), 10),
        ((Source("a", 1),), (Phase(0.5, (1.0,)),), 10),
        ((Source("a", 1), Source("b", 1)), (Phase(1.0, (0.5, 0.6)),), 10),
        ((Source("a", 1),), (Phase(1.0, (1.0,)),), 0),
    ],
)
def test_what_is_no_schedule_is_refused(sources: Any, phases: Any, horizon: int) -> None:
    with pytest.raises(MixingError):
        BlendSchedule(sources, phases, horizon)


# --- the switch in the learning-rate schedule


def switch(schedule: str, share: float = 0.6, **more: Any) -> blends.Switch:
    setting = TrainSettings(100, 1, 2.0, warmup_steps=10, min_lr_ratio=0.0, schedule=schedule, **more)
    own = BlendSchedule(TWO.sources, (Phase(share, (0.9, 0.1)), Phase(1 - share, (0.4, 0.6))), 1000)
    (found,) = own.switch_in(setting)
    return found


def test_where_the_switch_falls() -> None:
    assert switch("cosine").place == "decay"
    assert switch("wsd").place == "stable"
    assert switch("wsd", 0.9).place == "decay"
    assert switch("constant").place == "constant"
    assert switch("cosine", 0.05).place == "warm-up"


def test_what_is_left_to_learn_at_the_switch() -> None:
    constant = switch("constant")
    assert (constant.update, constant.lr, constant.of_peak) == (61, 2.0, 1.0)
    assert constant.remaining == pytest.approx(40 / (5.5 + 90))
    assert switch("cosine").remaining < switch("wsd").remaining < constant.remaining
    assert "the switch at 60% of the run falls in the constant part" in str(constant)


def test_a_run_of_one_phase_has_no_switch() -> None:
    flat = blends.one_phase(TWO.sources, [0.5, 0.5], 100)
    assert flat.switch_in(TrainSettings(10, 1, 1.0)) == []


# --- pools, and a run


def test_a_schedule_and_pools_must_agree() -> None:
    with pytest.raises(MixingError, match="The pools are"):
        TWO.blend(tiny_pools(), 2, 2, 0)


def test_design_is_the_two_formulas_together() -> None:
    sources = weights.sources_of(tiny_pools(), {"b": 1.0})
    own = blends.design(sources, 100, ratio=3, switch=0.5, odds=9)
    assert own.aggregate_K == pytest.approx([0.25, 0.75])
    assert own.shares_P == pytest.approx([0.5, 0.5])


def test_a_run_is_a_function_of_schedule_order_and_seed() -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    from nemo_lab.modeling import HybridConfig

    alphabet = {"<|endoftext|>": 0} | {c: i + 1 for i, c in enumerate("abcdefghijklmnopqrstuvwxyz")}
    tokenizer = Tokenizer(models.BPE(vocab=alphabet, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    own = tiny_pools()
    schedule = blends.design(weights.sources_of(own, {"b": 1.0}), 4 * 4 * 8)
    config = HybridConfig(pattern="-", d_model=16, d_ff=16, n_heads=1, n_kv_heads=1, head_dim=16, vocab_size=32)
    held_out = {"text": ["abcabc", "xyzxyz"], "corpus": ["a", "b"]}
    fixed = {"pools": own, "config": config, "settings": TrainSettings(4, 4, 1e-2, precision="fp32")}
    fixed |= {"tokenizer": tokenizer, "held_out": held_out}
    first, again = (runs.score_schedule(schedule, "scheduled", 0, **fixed) for _ in range(2))  # type: ignore[arg-type]
    other = runs.score_schedule(schedule, "reversed", 0, **fixed)  # type: ignore[arg-type]
    assert set(first) == {"a", "b"}
    assert first == again
    assert first != other


ORDERED = BlendSchedule(tuple(PAIR), (Phase(0.5, (0.9, 0.1)), Phase(0.5, (0.2, 0.8))), 1000)


@pytest.mark.parametrize("order", blends.ORDERS)
def test_the_seed_decides_which_row_is_of_which_source(order: str) -> None:
    assert_seed_decides(lambda seed: ORDERED.table(8, 8, seed, order).tolist())


def test_phases_are_drawn_apart_and_come_in_the_order_that_is_asked_for() -> None:
    even = BlendSchedule(tuple(PAIR), (Phase(0.5, (0.5, 0.5)),) * 2, 1000).table(8, 8, 3)
    assert (even[:4] != even[4:]).any(), "two phases of the same weights are not the same rows"
    scheduled, backwards = (ORDERED.table(8, 8, 3, order) for order in ("scheduled", "reversed"))
    assert (scheduled[:4] == 1).sum() < (scheduled[4:] == 1).sum()
    assert (backwards[:4] == scheduled[4:]).all()
    assert (backwards[4:] == scheduled[:4]).all()
    mixed = (ORDERED.table(8, 8, 3, "random")[:4] == 1).sum()
    assert (scheduled[:4] == 1).sum() < mixed < (scheduled[4:] == 1).sum()


def test_a_blend_reads_its_rows_by_its_own_seed() -> None:
    pools = tiny_pools()
    schedule = BlendSchedule(tuple(Source(name, 96, 0.0) for name in pools.names), (Phase(1, (1.0, 0.0)),), 192)
    assert_seed_decides(lambda seed: schedule.blend(pools, 3, 4, seed)(0).tokens_BL.tolist())
