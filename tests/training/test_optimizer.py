"""Which parameters decay, and that the update is AdamW's."""

import pytest
import torch
from tiny_lm import TinyLM
from torch import nn

from nemo_lab.training.optimizer import adamw, clip_gradients, parameter_groups, set_learning_rate
from nemo_lab.training.settings import TrainingError, TrainSettings

SETTINGS = TrainSettings(steps=1, batch_size=1, peak_lr=0.1)


def test_matrices_decay_and_vectors_and_marked_parameters_do_not():
    model = TinyLM()
    model.head.weight._no_weight_decay = True
    model.embedding.weight.requires_grad = False
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decay, rest = parameter_groups(model, 0.1)
    assert [names[id(p)] for p in decay["params"]] == ["blocks.0.linear.weight", "blocks.1.linear.weight"]
    assert {names[id(p)].split(".")[-1] for p in rest["params"]} == {"weight", "bias"}
    assert "head.weight" in {names[id(p)] for p in rest["params"]}
    assert (decay["weight_decay"], rest["weight_decay"]) == (0.1, 0.0)
    assert len(decay["params"]) + len(rest["params"]) == len(names) - 1


def test_one_update_is_adamws_formula():
    model = nn.Linear(3, 2, bias=False)
    before, gradient = model.weight.detach().clone(), torch.randn(2, 3)
    optimizer = adamw(model, SETTINGS)
    set_learning_rate(optimizer, 0.02)
    model.weight.grad = gradient
    optimizer.step()
    expected = before * (1 - 0.02 * 0.1) - 0.02 * gradient / (gradient.abs() + 1e-8)
    torch.testing.assert_close(model.weight.detach(), expected)


def test_clipping_returns_the_norm_before_and_bounds_the_norm_after():
    model = TinyLM()
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    n = sum(parameter.numel() for parameter in model.parameters())
    assert clip_gradients(model.parameters(), 1.0) == pytest.approx(n**0.5)
    assert clip_gradients(model.parameters(), 1.0) == pytest.approx(1.0, rel=1e-3)


def test_a_frozen_model_is_refused():
    model = TinyLM().requires_grad_(False)
    with pytest.raises(TrainingError, match="no trainable parameter"):
        adamw(model, SETTINGS)
