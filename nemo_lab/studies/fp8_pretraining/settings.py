"""The numbers behind notebook 06, FP8 pretraining, one instance a scale."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Fp8Pretraining:
    """06: a Transformer and a hybrid of equal size, trained under FP8 recipes and in BF16."""

    seeds: int  # repeats of every comparison
    steps: int  # updates of every run
    batch_size: int  # rows an update, an even number: the twin sums them in two halves
    length: int  # tokens a row
    peak_lr: float  # of the hybrid
    peak_lr_attention: float  # of the Transformer, as in notebook 05
    d_model: int  # width, a multiple of 32
    pairs: int  # of a mixer and a feed-forward layer, two matrix products each; 8 products stay in BF16
    vocab_size: int
    domains: int  # corpora
    train_bytes: int  # of each corpus
    held_out_bytes: int  # of each corpus
    windows: int  # stretches of training over which gaps are averaged
    probes: int  # looks at the gradients in a run


_FP8 = Fp8Pretraining(
    seeds=3,
    steps=180,
    batch_size=16,
    length=128,
    peak_lr=8e-3,
    peak_lr_attention=4e-3,
    d_model=64,
    pairs=4,
    vocab_size=1024,
    domains=6,
    train_bytes=200_000,
    held_out_bytes=10_000,
    windows=10,
    probes=8,
)


SETTINGS: Mapping[str, Fp8Pretraining] = {
    "smoke": replace(
        _FP8,
        seeds=1,
        steps=4,
        batch_size=2,
        length=64,
        pairs=3,
        vocab_size=512,
        domains=2,
        train_bytes=30_000,
        held_out_bytes=2_000,
        windows=2,
        probes=2,
    ),
    "laptop": _FP8,
    "gpu": replace(
        _FP8,
        steps=5000,
        batch_size=64,
        length=2048,
        peak_lr=1e-3,
        peak_lr_attention=1e-3,
        d_model=768,
        pairs=12,
        vocab_size=16_384,
        domains=13,
        train_bytes=1_000_000,
        held_out_bytes=100_000,
        windows=50,
        probes=50,
    ),
    "cluster": replace(
        _FP8,
        seeds=3,
        steps=100_000,
        batch_size=768,
        length=8192,
        peak_lr=8e-4,
        peak_lr_attention=8e-4,
        d_model=4096,
        pairs=26,
        vocab_size=131_072,
        domains=13,
        train_bytes=1_000_000,
        held_out_bytes=100_000,
        windows=100,
        probes=100,
    ),
}
