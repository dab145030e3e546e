"""Budgets of the published sizes, against figures of the papers."""

import pytest

from nemo_lab.compression import budgets
from nemo_lab.modeling import costs
from nemo_lab.modeling.presets import preset
from nemo_lab.studies.pruning_distillation import published_budgets


def test_the_a10g_leaves_what_the_paper_says() -> None:
    assert round(published_budgets.a10g_budget_gib(), 2) == 19.66


def test_of_the_nano_models_only_the_published_child_fits() -> None:
    fits = {
        name: budgets.deployed_gib(config, published_budgets.NANO_CONTEXT) <= published_budgets.a10g_budget_gib()
        for name, config in published_budgets.nano_models().items()
    }
    assert fits == {"12B parent": False, "depth only": False, "9B, published": True}
    assert costs.parameter_count(published_budgets.nano_models()["depth only"]) / 1e9 == pytest.approx(11.39, abs=0.005)


def test_the_search_returns_all_that_fits_and_nothing_else() -> None:
    found = published_budgets.nano_candidates()
    sizes = [one.size for one in found]
    assert sizes == sorted(sizes, reverse=True)
    assert max(sizes) <= published_budgets.a10g_budget_gib() < min(sizes) + 5
    everything = published_budgets.nano_candidates(1e9)
    grid = len(published_budgets.NANO_D_MODEL) * len(published_budgets.NANO_D_FF) * len(published_budgets.NANO_HEADS)
    assert len(everything) == grid
    assert sum(one.size <= published_budgets.a10g_budget_gib() for one in everything) == len(found)
    published = preset("nemotron-nano-9b-v2")
    assert published in [one.config for one in found]
    assert all(one.config.pattern.count("*") == published_budgets.NANO_ATTENTION for one in found)
    assert len(published.pattern) == published_budgets.NANO_LAYERS


def test_a_smaller_budget_never_adds_a_candidate() -> None:
    less, more = (published_budgets.nano_candidates(gib) for gib in (18.0, 19.0))
    assert {one.config for one in less} < {one.config for one in more}


def test_minipuzzle_fits_its_card_and_its_parent_does_not() -> None:
    table = published_budgets.minipuzzle_table().set_index(["model", "weight bits", "KV bits"]).sort_index()
    assert round(table.loc[("nemotron-h-56b", 4.5, 8), "weights GiB"], 1) == 29.5  # the paper's figure for FP4
    assert round(table.loc[("nemotron-h-47b-text", 4, 8), "GiB"], 1) == 31.7
    assert not table.loc["nemotron-h-56b", "fits"].any()
    assert table.loc["nemotron-h-47b-text", "fits"].sum() == 2
