"""The loop: it learns, repeats itself, and nothing around it changes the result, micro-batches neither."""

import dataclasses
import math
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_lm import TinyConfig, TinyLM, tiny_data

from nemo_lab.training import (
    IGNORE,
    Batch,
    NonFiniteLoss,
    TrainingError,
    TrainSettings,
    batch,
    distributed,
    take_step,
    train,
)
from nemo_lab.training.optimizer import adamw

SETTINGS = TrainSettings(steps=30, batch_size=4, peak_lr=0.02, warmup_steps=3, precision="fp32")
DATA = tiny_data()


def run(model=None, data=DATA, settings=SETTINGS, **kwargs):
    return train(model or TinyLM(), data, settings, **kwargs)


def test_it_learns_and_its_history_says_how():
    history = run()
    assert list(history.columns) == ["step", "loss", "lr", "grad_norm", "tokens", "seconds"]
    assert history["step"].tolist() == list(range(1, 31))
    assert history["loss"].iloc[0] == pytest.approx(math.log(50), abs=0.6)
    assert history["loss"].tail(3).mean() < history["loss"].iloc[0] - 1
    assert history["lr"].iloc[2] == pytest.approx(0.02)
    assert history["seconds"].is_monotonic_increasing
    assert (history["tokens"].diff().dropna() <= 4 * 12).all()


def test_first_update_is_the_plain_computation():
    model, plain = TinyLM(), TinyLM()
    history = run(model, settings=dataclasses.replace(SETTINGS, steps=3))
    tokens, targets, document = batch(DATA, 4, 0, 0)
    loss = plain.loss(tokens, targets, document)
    loss.backward()
    norm = torch.cat([p.grad.flatten() for p in plain.parameters()]).norm()
    assert history["loss"].iloc[0] == pytest.approx(loss.item(), rel=1e-6)
    assert history["grad_norm"].iloc[0] == pytest.approx(norm.item(), rel=1e-5)


@pytest.mark.parametrize("accumulate", [2, 4])
def test_micro_batches_change_nothing_even_with_unequal_numbers_of_targets(accumulate):
    masked = dataclasses.replace(DATA, targets_NL=DATA.targets_NL.copy())
    masked.targets_NL[::3] = IGNORE  # whole rows without a target
    masked.targets_NL[1::3, :5] = IGNORE
    whole = run(data=masked)
    parts = run(data=masked, settings=dataclasses.replace(SETTINGS, accumulate=accumulate))
    np.testing.assert_allclose(parts["loss"], whole["loss"], rtol=2e-4)
    assert (parts["tokens"] == whole["tokens"]).all()


def test_bf16_keeps_fp32_parameters_and_the_same_curve_roughly():
    model = TinyLM()
    half = run(model, settings=dataclasses.replace(SETTINGS, precision="bf16"))
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert (half["loss"] != run()["loss"]).any()
    np.testing.assert_allclose(half["loss"], run()["loss"], rtol=0.02)


def test_dropout_depends_on_the_seed_and_the_step_only_and_leaves_the_callers_generator_alone():
    torch.manual_seed(5)
    first = run(TinyLM(TinyConfig(dropout=0.3)))["loss"]
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.rand(1) == drawn
    assert (run(TinyLM(TinyConfig(dropout=0.3)))["loss"] == first).all()


def test_frozen_parameters_stay():
    model = TinyLM()
    model.embedding.weight.requires_grad = False
    before = model.embedding.weight.clone()
    run(model)
    assert (model.embedding.weight == before).all()


def test_data_may_be_a_function_of_the_step():
    history = run(data=lambda step: batch(DATA, 4, 0, step))
    assert (history["loss"] == run()["loss"]).all()
    with pytest.raises(TrainingError, match="gave 3 rows at step 0, not batch_size=4"):
        run(data=lambda step: Batch(*(tensor[:3] for tensor in batch(DATA, 4, 0, step))))


def test_validation_and_callback_see_every_due_update_and_change_nothing():
    seen = []

    def validate(model):
        model.eval()
        return {"held_out": 1.5}

    history = run(
        model := TinyLM(TinyConfig(dropout=0.1)),
        settings=dataclasses.replace(SETTINGS, validate_every=12),
        validate=validate,
        on_step=seen.append,
    )
    assert history.loc[history["held_out"].notna(), "step"].tolist() == [12, 24, 30]
    assert [row["step"] for row in seen] == list(range(1, 31))
    assert model.training
    assert (history["loss"] == run(TinyLM(TinyConfig(dropout=0.1)))["loss"]).all()


class Explosive(TinyLM):
    """Its loss becomes NaN in the ninth batch."""

    calls = 0

    def loss(self, *args, **kwargs):
        self.calls += 1
        return super().loss(*args, **kwargs) * (float("nan") if self.calls == 9 else 1)


def test_a_loss_that_is_no_number_stops_before_the_update_and_names_it():
    model, plain = Explosive(), TinyLM()
    with pytest.raises(NonFiniteLoss, match=r"loss is nan at update 9 .*lower peak_lr"):
        run(model)
    weights = []
    run(plain, on_step=lambda row: weights.append(plain.head.weight.detach().clone()))
    assert (model.head.weight == weights[7]).all()


def test_a_token_outside_the_vocabulary_is_named_before_anything_runs():
    model = TinyLM()
    model.config = SimpleNamespace(vocab_size=40)
    with pytest.raises(TrainingError, match=r"token 49 .* vocabulary of 40"):
        run(model)


def test_the_bar_shows_loss_and_speed(monkeypatch, capsys):
    monkeypatch.setenv("NEMO_LAB_PROGRESS", "1")
    run(on_step=lambda row: time.sleep(0.01))  # tqdm redraws ten times a second
    shown = capsys.readouterr().err
    assert "loss=" in shown
    assert "tokens/s=" in shown
    run(progress=False)
    assert capsys.readouterr().err == ""


# --- the seed


def test_the_seed_orders_the_rows():
    """Seeds that shared the order of their data would differ too little, and intervals over seeds be too short."""
    seven = run(settings=dataclasses.replace(SETTINGS, seed=7))["loss"]
    assert (seven == run(data=lambda step: batch(DATA, 4, 7, step))["loss"]).all()
    assert (seven != run()["loss"]).any()


def one_batch(step):
    return batch(DATA, 4, 0, 0)


def dropped(**changes):
    """Losses of the same batch four times, by weights that stay: what differs is the dropout."""
    settings = dataclasses.replace(SETTINGS, steps=4, peak_lr=1e-12, weight_decay=0.0, **changes)
    return run(TinyLM(TinyConfig(dropout=0.3)), one_batch, settings)["loss"].tolist()


def test_each_step_seed_and_process_has_a_dropout_of_its_own(monkeypatch):
    losses = dropped()
    assert len(set(losses)) == 4
    assert losses == dropped()
    assert not set(losses) & set(dropped(seed=1))
    monkeypatch.setattr(distributed, "rank", lambda: 1)
    monkeypatch.setattr(distributed, "own_rows", lambda rows: slice(rows))  # the same ones: only its number differs
    assert not set(losses) & set(dropped())


def with_gradients():
    model = TinyLM()
    model.loss(*batch(DATA, 4, 0, 0)).backward()
    return model, adamw(model, SETTINGS)


@pytest.mark.parametrize("whole", [True, False])
def test_a_step_clips_sets_the_rate_steps_and_forgets(whole):
    (model, optimizer), (plain, other) = with_gradients(), with_gradients()
    norm = take_step(model if whole else model.parameters(), optimizer, 0.05, 0.1)
    assert norm == pytest.approx(float(torch.nn.utils.clip_grad_norm_(plain.parameters(), 0.1)))
    assert norm > 0.1
    for group in other.param_groups:
        group["lr"] = 0.05
    other.step()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), plain.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_step_without_a_limit_is_the_optimizers_bit_for_bit():
    (model, optimizer), (plain, other) = with_gradients(), with_gradients()
    take_step(model, optimizer, SETTINGS.peak_lr, math.inf)
    other.step()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), plain.parameters(), strict=True))


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("clip", [1.0, math.inf])
def test_a_gradient_that_is_no_number_changes_no_weight(bad, clip):
    model, optimizer = with_gradients()
    model.head.weight.grad[0, 0] = bad
    before = [parameter.detach().clone() for parameter in model.parameters()]
    with pytest.raises(NonFiniteLoss, match=r"gradient is not finite at update 7 \(learning rate 0.05\); try"):
        take_step(model, optimizer, 0.05, clip, update=7)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before, strict=True))
    with pytest.raises(NonFiniteLoss, match=r"not finite \(learning"):
        take_step(model, optimizer, 0.05, clip)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": None}, "model is None of type NoneType; give a torch module"),
        ({"data": None}, "data is None, expected packed rows or a function of the step"),
        ({"settings": None}, "settings is None of type NoneType; make it with TrainSettings"),
        ({"folder": 3}, "folder is 3, expected the path"),
        ({"on_step": 3}, "on_step is 3, which cannot be called; give a function of a row"),
    ],
)
def test_what_cannot_be_trained_is_one_sentence(change, words):
    given = {"model": TinyLM(), "data": DATA, "settings": TrainSettings(1, 4, 1e-3)} | change
    with pytest.raises(TrainingError, match=words):
        train(given.pop("model"), given.pop("data"), given.pop("settings"), progress=False, **given)
