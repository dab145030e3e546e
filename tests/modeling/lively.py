"""Models of any shape whose layers all matter, and tokens for them."""

import random

import torch

from nemo_lab.modeling import HybridConfig, HybridLM

VOCAB = 61


def lively(config: HybridConfig, seed: int = 0) -> HybridLM:
    """A model whose layers all matter: larger weights, norm weights and skips that are not one."""
    model = HybridLM(config, seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2 and "conv" not in name:
                parameter.mul_(3)
            elif "norm" in name or name.endswith("mixer.D"):
                parameter.uniform_(0.5, 1.5, generator=generator)
    return model


def random_config(seed: int) -> HybridConfig:
    pick = random.Random(seed)
    patterns = ["M", "*", "M-", "*-*-", "M*-", "MM*-M", "*M-M", "M-M*-M-"]
    groups, kv_heads = pick.choice([1, 2, 4]), pick.choice([1, 2])
    return HybridConfig(
        pattern=patterns[seed % len(patterns)],
        vocab_size=VOCAB,
        d_model=pick.choice([24, 48]),
        d_ff=40,
        n_heads=kv_heads * pick.choice([1, 2, 3]),
        n_kv_heads=kv_heads,
        head_dim=pick.choice([8, 12]),
        ssm_heads=groups * pick.choice([1, 2, 3]),
        ssm_head_dim=pick.choice([4, 8, 20]),
        ssm_state=pick.choice([4, 16]),
        ssm_groups=groups,
        conv_width=pick.choice([1, 2, 4, 5]),
        chunk=pick.choice([4, 16, 64]),
        rope_theta=pick.choice([0.0, 100.0]),
        dt_min=pick.choice([0.0, 0.02]),
        norm_eps=pick.choice([1e-5, 1e-3]),
    )


def tokens(B: int, L: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(0, VOCAB, (B, L), generator=torch.Generator().manual_seed(seed))
