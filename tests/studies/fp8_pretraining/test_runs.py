"""Runs under recipes: equal but for the recipe; gaps, shares and scores against arithmetic by hand."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.precision import RECIPES, Cast, to_fp8
from nemo_lab.precision.linear import Fp8Linear
from nemo_lab.studies.fp8_pretraining.made_tensors import CASTS
from nemo_lab.studies.fp8_pretraining.runs import (
    final_gap,
    gaps,
    gradient_shares,
    measured,
    relative_speed,
    stacked,
    train_under,
)
from nemo_lab.training import TrainSettings, pack, train
from nemo_lab.training.packing import Batch

CONFIG = HybridConfig(
    pattern="*-*-*-", vocab_size=32, d_model=32, d_ff=32, n_heads=2, n_kv_heads=1, head_dim=16, rope_theta=1e4
)


def batch_of(step: int) -> Batch:
    tokens = torch.randint(32, (4, 17), generator=torch.Generator().manual_seed(step))
    return Batch(tokens[:, :-1], tokens[:, 1:], torch.zeros(4, 16, dtype=torch.long))


def fit(model, seed: int) -> pd.DataFrame:
    return train(model, batch_of, TrainSettings(6, 4, 1e-2, seed=seed), progress=False)


def loss(model) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return model.loss(*batch_of(99))


run = partial(train_under, make=partial(HybridLM, CONFIG), fit=fit)


def test_a_run_is_its_recipe_and_its_seed() -> None:
    recipe = RECIPES["nemotron_h"].with_(first_bf16=1, last_bf16=1)
    plain, ours, again, other = run(None, 0), run(recipe, 0), run(recipe, 0), run(recipe, 1)
    losses = [one["history"]["loss"] for one in (plain, ours, again, other)]
    assert np.array_equal(losses[1], losses[2])
    assert 0 < abs(losses[0] - losses[1]).max() < 0.05
    assert abs(losses[1] - losses[3]).max() > 0.05
    assert plain["fp8"] == ()
    assert len(ours["fp8"]) == 18 - 3 - 1  # query, key and value of the first product stay
    assert "score" not in plain


def test_scores_are_of_the_model_as_trained_and_in_bf16() -> None:
    def score(model):
        with torch.no_grad():
            return float(loss(model))

    plain, ours = run(None, 0, score=score), run(RECIPES["delayed"].with_(first_bf16=0), 0, score=score)
    assert plain["score"] == plain["score_bf16"]
    assert 0 < abs(ours["score"] - ours["score_bf16"]) < 0.1


def test_gaps_by_hand() -> None:
    bf16, ours = np.full(20, 2.0), np.r_[np.full(10, 2.0), np.full(8, 2.1), np.full(2, 1.9)]
    assert gaps(ours, bf16, 10) == pytest.approx([0] * 5 + [5] * 4 + [-5])
    assert final_gap(ours, bf16) == pytest.approx(-5)
    assert len(gaps(ours[:3], bf16[:3], 10)) == 3
    with pytest.raises(LabError, match="20 and 19 updates"):
        gaps(ours, bf16[:19], 4)


def test_gradient_shares_are_of_the_gradients_that_arrive() -> None:
    model = HybridLM(CONFIG)
    to_fp8(model, RECIPES["nemotron_h"].with_(first_bf16=0, last_bf16=0, gradient=Cast("e5m2")))
    shares = gradient_shares(model, lambda: loss(model).backward())
    assert set(shares) == {*CASTS, "spread"}
    assert 0 <= shares["E5M2, one scale"] <= shares["E4M3, one scale"] < 50
    assert 0.5 < shares["spread"] < 10
    assert all(parameter.grad is None for parameter in model.parameters())
    with pytest.raises(LabError, match="No gradient arrived"):
        gradient_shares(model, lambda: None)


def test_flushed_entries_are_counted_across_layers() -> None:
    """Half the entries of one layer's dY lie far below the rest: a quarter of all when the other has as many."""
    model = torch.nn.Sequential(*(torch.nn.Linear(4, 4, bias=False) for _ in range(2)))
    with torch.no_grad():
        for layer in model:
            layer.weight.copy_(torch.eye(4))
    to_fp8(model, RECIPES["plain"].with_(first_bf16=0, last_bf16=0))
    dy = torch.tensor([[1.0, 1.0, 1e-12, 1e-12]])
    shares = gradient_shares(model, lambda: (model(torch.ones(1, 4)) * dy).sum().backward())
    assert shares["E5M2, one scale"] == pytest.approx(100 * 2 / 6)  # the inner layer's are zero already


def test_small_things() -> None:
    found = {("a", seed): {"history": {"loss": np.arange(3) + seed}} for seed in (0, 1)}
    found["b", 0] = {"history": {"loss": np.zeros(3)}}
    assert stacked(found, "a", "loss").tolist() == [[0, 1, 2], [1, 2, 3]]
    assert measured(np.array([1.0, np.nan, 2.0])).tolist() == [1.0, 2.0]
    assert relative_speed(np.array([0, 2, 4, 9.0]), np.array([0, 1, 2, 3.0])) == 2.0


# --- what reaches a run


@pytest.mark.parametrize("recipe", [None, RECIPES["delayed"].with_(first_bf16=0)])
def test_the_seed_reaches_weights_and_data_under_every_recipe(recipe) -> None:
    seen: list = []

    def make(*, seed: int) -> HybridLM:
        seen.append(("made", seed))
        return HybridLM(CONFIG, seed=seed)

    def trained(model: HybridLM, seed: int) -> pd.DataFrame:
        seen.append(("fitted", seed, fp8_layers(model)))
        with torch.no_grad():
            model.head.weight += 1
        return pd.DataFrame({"loss": [1.0, 2.0]})

    def score(model: HybridLM) -> float:
        seen.append(("scored", model.head.weight.detach().clone(), fp8_layers(model)))
        return float(len(seen))

    result = train_under(recipe, 7, make=make, fit=trained, score=score)
    assert seen[0] == ("made", 7)
    assert seen[1] == ("fitted", 7, len(result["fp8"])), "the recipe is there before training, or BF16 is compared"
    assert (len(result["fp8"]) > 0) is (recipe is not None)
    scored = [event for event in seen if event[0] == "scored"]
    assert all(torch.equal(weight, HybridLM(CONFIG, seed=7).head.weight + 1) for _, weight, _ in scored)
    assert [layers for _, _, layers in scored] == ([0] if recipe is None else [len(result["fp8"]), 0])
    assert result["history"]["loss"].tolist() == [1.0, 2.0]
    if recipe is None:
        assert result["score"] == result["score_bf16"]


def fp8_layers(model: HybridLM) -> int:
    return sum(isinstance(module, Fp8Linear) for module in model.modules())


def test_the_history_of_a_seed_is_that_of_its_data() -> None:
    """`fit` that hands its seed on to `train` orders packed rows by it."""
    rows = pack([[1 + (3 * i + j) % 30 for j in range(40)] for i in range(8)], 16, eos=0)

    def order(model: HybridLM, seed: int) -> pd.DataFrame:
        return train(model, rows, TrainSettings(3, 4, 1e-2, seed=seed), progress=False)

    def same_weights(seed: int) -> HybridLM:
        return HybridLM(CONFIG, seed=0)

    first, other = (train_under(None, seed, make=same_weights, fit=order)["history"]["loss"] for seed in (0, 7))
    assert (first != other).any()


def test_arms_are_stacked_by_name() -> None:
    found = {(arm, seed): {"history": {"loss": [k, seed]}} for k, arm in enumerate("ab") for seed in (3, 4)}
    assert stacked(found, "b", "loss").tolist() == [[1, 3], [1, 4]]
    assert stacked(found, "a", "loss").tolist() == [[0, 3], [0, 4]]
