"""Tiny models and rows for the tests of pruning."""

import torch

from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.training import Batch

TINY = HybridConfig(
    pattern="M-*-M-",
    vocab_size=31,
    d_model=24,
    d_ff=20,
    n_heads=4,
    n_kv_heads=2,
    head_dim=8,
    ssm_heads=8,
    ssm_head_dim=6,
    ssm_state=5,
    ssm_groups=2,
    chunk=8,
    init_std=0.3,
)


def make_model(config: HybridConfig = TINY, seed: int = 0) -> HybridLM:
    """A model in float64 whose every tensor, norms and biases included, is random."""
    model = HybridLM(config, seed=seed).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:
                parameter.add_(torch.rand(parameter.shape, generator=generator, dtype=torch.float64))
    return model


def make_rows(seed: int = 5) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(0, TINY.vocab_size, (3, 21), generator=generator)
    return Batch(tokens, tokens.roll(-1, 1), torch.tensor([[0] * 21, [1] * 10 + [2] * 11, [3] * 21]))
