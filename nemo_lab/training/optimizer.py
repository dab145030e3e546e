"""AdamW with the papers' settings, and the norm to which gradients are clipped.

Betas 0.9 and 0.95 and weight decay 0.1 are Nemotron-H's (arXiv 2504.03624, section 2.4). Which parameters
decay follows Megatron-LM, with which it was trained, and the Mamba reference code: everything with two or
more dimensions decays, embeddings and the depthwise filters included; norms, biases and the vectors `A_log`,
`D` and `dt_bias` do not, and neither does a parameter that carries `_no_weight_decay = True`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from nemo_lab.training.distributed import whole_of
from nemo_lab.training.settings import TrainingError, TrainSettings


def decays(parameter: nn.Parameter) -> bool:
    """Whether weight decay applies: at least two dimensions, and not marked `_no_weight_decay`."""
    return parameter.ndim >= 2 and not getattr(parameter, "_no_weight_decay", False)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """The trainable parameters in two groups, those that decay and those that do not; no group is empty."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if not trainable:
        raise TrainingError("The model has no trainable parameter; set requires_grad on those to train.")
    with_decay = [parameter for parameter in trainable if decays(parameter)]
    without = [parameter for parameter in trainable if not decays(parameter)]
    groups = [
        {"params": with_decay, "weight_decay": weight_decay},
        {"params": without, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def adamw(model: nn.Module, settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW over `parameter_groups`, in the fused form, which CPU and GPU both have."""
    groups = parameter_groups(model, settings.weight_decay)
    return torch.optim.AdamW(groups, lr=settings.peak_lr, betas=settings.betas, eps=1e-8, fused=True)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group the learning rate of this step."""
    for group in optimizer.param_groups:
        group["lr"] = rate


def clip_gradients(parameters: Iterable[nn.Parameter], limit: float) -> float:
    """Scale gradients to a global norm of at most `limit`; returns the norm before, over all processes.

    A norm that is not finite leaves the gradients useless: the caller must not take the step.
    """
    norm = nn.utils.clip_grad_norm_(parameters, limit)
    return float(whole_of(norm))
