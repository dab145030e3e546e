r"""DoReMi (arXiv 2305.10429, Algorithm 1): weights from where a model can still gain, without any target.

    1. a reference model is trained on the baseline weights (uniform here)
    2. a second one minimises the worst group's excess loss by exponentiated gradient ascent on the weights:
           λ_k = mean over tokens of source k of max(ℓ_model - ℓ_reference, 0)
           α_k ∝ α_k exp(η λ_k),   α ← (1 - c) α + c u,   loss = Σ_k α_k · mean loss of source k
    3. the answer is the mean of α over the steps

η = 1 and c = 1e-3 are the paper's. CLIMB compares with it at an equal budget (Table 1). Rows are drawn evenly from
all sources; a source that is absent from a batch keeps its weight in that step.

Shapes: K sources, S steps, B rows, L tokens.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nemo_lab.errors import check_whole
from nemo_lab.mixing.pools import Blend, Floats, MixingError, draw_table
from nemo_lab.mixing.proxies import ProxyPlan, mixture_model, new_model
from nemo_lab.modeling import HybridLM
from nemo_lab.training import checkpoints
from nemo_lab.training.identity import identity_of, weights_fingerprint
from nemo_lab.training.loop import prediction_nats, take_step
from nemo_lab.training.memory import keep_freed_memory
from nemo_lab.training.optimizer import adamw
from nemo_lab.training.packing import IGNORE
from nemo_lab.training.schedules import learning_rate

ETA = 1.0
SMOOTHING = 1e-3


@dataclass(frozen=True)
class DoReMi:
    """The weights found, and the way to them: `path_SK` holds α after every step."""

    weights_K: Floats
    path_SK: Floats
    tokens: int  # trained on by both models together


def doremi(plan: ProxyPlan, proxies: int, seed: int = 0, folder: Path | None = None) -> DoReMi:
    """Return DoReMi's weights for the sources of a plan, for the token budget of so many of its proxies.

    Half the budget goes to the reference model and half to the second one; `plan.held_out` is not read. In `folder`
    both keep their checkpoints, every `plan.settings.checkpoint_every` updates, and go on from the last.

    Raises:
        TrainingError: a loss or gradient that is no number, or the folder of another run.
    """
    longer = _longer(plan, proxies)
    reference_folder, own_folder = (folder / "reference", folder / "weights") if folder else (None, None)
    reference = mixture_model(longer, plan.pools.uniform_K, seed, reference_folder).eval()
    path_SK = _ascend(longer, reference, seed + 1, own_folder)
    return DoReMi(path_SK.mean(0), path_SK, 2 * longer.tokens)


def budget(plan: ProxyPlan, proxies: int) -> int:
    """Tokens that both models together are trained on."""
    return 2 * _longer(plan, proxies).tokens


def _longer(plan: ProxyPlan, proxies: int) -> ProxyPlan:
    check_whole("proxies", proxies, kind=MixingError)
    steps = max(1, plan.settings.steps * proxies // 2)
    warmup = min(plan.settings.warmup_steps, steps)
    return replace(plan, settings=replace(plan.settings, steps=steps, warmup_steps=warmup))


def _ascend(plan: ProxyPlan, reference: HybridLM, seed: int, folder: Path | None = None) -> Floats:
    """Train the second model and return the weights after every step."""
    settings = plan.settings
    keep_freed_memory()
    model = new_model(plan, seed).train()
    optimizer = adamw(model, settings)
    table_SB = draw_table(plan.pools.uniform_K, settings.steps, settings.batch_size, seed)
    blend, uniform_K = Blend(plan.pools, table_SB, seed), plan.pools.uniform_K
    run = _identity(plan, model, blend, reference) if folder else {}
    history = checkpoints.resume(folder, model, optimizer, run) if folder else []
    path = [np.array(list(row.values())) for row in history]
    alpha_K = path[-1] if path else uniform_K
    for step in range(len(history), settings.steps):
        nats_K, excess_K, present_K = _losses(model, reference, blend, step, settings.precision)
        alpha_K = update_weights(alpha_K, np.where(present_K, excess_K.detach().numpy(), 0.0), uniform_K)
        (torch.from_numpy(alpha_K).float() * nats_K).sum().backward()
        take_step(model, optimizer, learning_rate(step + 1, settings), settings.clip, update=step + 1)
        path.append(alpha_K)
        history.append(dict(zip(plan.pools.names, alpha_K.tolist(), strict=True)))
        if folder and checkpoints.is_due(step + 1, settings.checkpoint_every, settings.steps):
            checkpoints.save(folder, model, optimizer, history, run)
    return np.stack(path)


def _identity(plan: ProxyPlan, model: HybridLM, blend: Blend, reference: HybridLM) -> dict[str, Any]:
    """What must be the same when the second model goes on; it begins alike where its first weights are."""
    return {
        "settings": asdict(plan.settings),
        "model": identity_of(model),
        "begins": weights_fingerprint(model),
        "reference": weights_fingerprint(reference),
        "data": blend.fingerprint,
    }


def update_weights(alpha_K: Floats, excess_K: Floats, baseline_K: Floats, eta: float = ETA) -> Floats:
    """One step of exponentiated gradient ascent, smoothed towards the baseline."""
    raised_K = alpha_K * np.exp(eta * excess_K)
    return (1 - SMOOTHING) * raised_K / raised_K.sum() + SMOOTHING * baseline_K


def _losses(
    model: HybridLM, reference: HybridLM, blend: Blend, step: int, precision: str
) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Mean nats and mean clipped excess of every source, both [K] (0 where absent), and which are present."""
    batch, sources = blend(step), len(blend.pools.rows)
    nats_BL = prediction_nats(model, batch, precision).float()
    with torch.no_grad():
        excess_BL = (nats_BL - prediction_nats(reference, batch, precision).float()).clamp(min=0)
    counted_BL = batch.targets_BL != IGNORE
    excess_BL = excess_BL * counted_BL
    index_B = torch.from_numpy(blend.table_SB[step])
    tokens_K = _by_source(counted_BL.float(), index_B, sources)
    means = [_by_source(t, index_B, sources) / tokens_K.clamp(min=1) for t in (nats_BL, excess_BL)]
    return means[0], means[1], (tokens_K > 0).numpy()


def _by_source(values_BL: torch.Tensor, index_B: torch.Tensor, sources: int) -> torch.Tensor:
    """Sum over the rows and tokens of every source, [K]."""
    return torch.zeros(sources).index_add(0, index_B, values_BL.sum(1))
