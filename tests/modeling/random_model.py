"""Models of any shape whose every parameter is random, for what is kept in files."""

import random

import torch

from nemo_lab.modeling import HybridConfig, HybridLM

TINY = HybridConfig(
    pattern="M-M*-",
    vocab_size=61,
    d_model=32,
    d_ff=48,
    n_heads=4,
    n_kv_heads=2,
    head_dim=8,
    ssm_heads=4,
    ssm_head_dim=8,
    ssm_state=8,
    ssm_groups=2,
    chunk=16,
    init_std=0.3,
)


def random_config(seed: int) -> HybridConfig:
    """Any pattern with at least one layer of any kind, any sizes that divide."""
    r = random.Random(seed)
    groups, kv = r.choice([1, 2, 3, 4]), r.choice([1, 2, 3])
    return HybridConfig(
        pattern="".join(r.choice("MM*-") for _ in range(r.randint(1, 7))),
        vocab_size=r.randint(17, 90),
        d_model=r.choice([16, 24, 40]),
        d_ff=r.randint(8, 80),
        n_heads=kv * r.choice([1, 2, 3]),
        n_kv_heads=kv,
        head_dim=r.choice([4, 8, 14]),
        ssm_heads=groups * r.choice([1, 2, 3]),
        ssm_head_dim=r.choice([4, 8, 12]),
        ssm_state=r.choice([5, 8, 16]),
        ssm_groups=groups,
        conv_width=r.choice([2, 3, 4]),
        chunk=r.choice([4, 8, 16]),
        norm_eps=r.choice([1e-5, 1e-6]),
        init_std=0.3,
        dt_min=r.choice([0.0, 0.0, 0.02]),
    )


def random_model(config: HybridConfig, seed: int) -> HybridLM:
    """A model whose every parameter is random, norms and biases included, so that no swap goes unseen."""
    model = HybridLM(config, seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1 and not name.endswith(("A_log", "dt_bias")):
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return model


def random_tokens(config: HybridConfig, seed: int, rows: int = 2) -> torch.Tensor:
    """Tokens of a length that mostly is no multiple of the chunk."""
    length = random.Random(seed + 1000).randint(1, 45)
    return torch.randint(config.vocab_size, (rows, length), generator=torch.Generator().manual_seed(seed))
