"""The numbers behind notebook 05, architectures of equal size, one instance a scale."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class HybridArchitecture:
    """05: hybrid, Transformer and pure Mamba with equal parameters, data and tokens."""

    seeds: int  # repeats of every comparison
    steps: int  # training steps of a language model
    batch_size: int  # sequences a step
    length: int  # tokens a sequence
    peak_lr: float  # of language models with Mamba layers; LOG.md has the search
    peak_lr_attention: float  # of those without
    d_model: int  # width of the language models
    pairs: int  # of a mixer and a feed-forward layer in a language model
    vocab_size: int  # tokens of the tokenizer
    domains: int  # corpora, the first so many of those that can be had
    train_bytes: int  # of text of each domain
    held_out_bytes: int  # of text of each domain
    recall_steps: int  # training steps of a recall probe
    recall_lr: float  # its peak learning rate
    recall_pairs: int  # key-value pairs a row
    recall_keys: int  # different keys, and different values
    contexts: tuple[int, ...]  # tokens already there when decoding is measured
    decode_tokens: int  # tokens decoded a measurement
    repeats: int  # of the throughput measurement
    budget_mib: int  # memory for weights and caches in it


SETTINGS: Mapping[str, HybridArchitecture] = {
    "smoke": HybridArchitecture(
        seeds=1,
        steps=2,
        batch_size=2,
        length=64,
        peak_lr=8e-3,
        peak_lr_attention=4e-3,
        d_model=64,
        pairs=6,
        vocab_size=512,
        domains=3,
        train_bytes=100_000,
        held_out_bytes=2_000,
        recall_steps=2,
        recall_lr=3e-3,
        recall_pairs=4,
        recall_keys=8,
        contexts=(64, 256, 1024),
        decode_tokens=2,
        repeats=1,
        budget_mib=8,
    ),
    "laptop": HybridArchitecture(
        seeds=3,
        steps=240,
        batch_size=16,
        length=128,
        peak_lr=8e-3,
        peak_lr_attention=4e-3,
        d_model=64,
        pairs=6,
        vocab_size=1024,
        domains=13,
        train_bytes=100_000,
        held_out_bytes=10_000,
        recall_steps=500,
        recall_lr=3e-3,
        recall_pairs=4,
        recall_keys=8,
        contexts=(128, 512, 2048, 8192),
        decode_tokens=32,
        repeats=7,
        budget_mib=64,
    ),
    "gpu": HybridArchitecture(
        seeds=3,
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
        recall_steps=20_000,
        recall_lr=1e-3,
        recall_pairs=64,
        recall_keys=512,
        contexts=(1024, 8192, 65_536),
        decode_tokens=64,
        repeats=5,
        budget_mib=65_536,
    ),
    "cluster": HybridArchitecture(
        seeds=3,
        steps=100_000,
        batch_size=768,
        length=8192,
        peak_lr=8e-4,
        peak_lr_attention=8e-4,
        d_model=4096,
        pairs=24,
        vocab_size=131_072,
        domains=13,
        train_bytes=1_000_000,
        held_out_bytes=100_000,
        recall_steps=50_000,
        recall_lr=1e-3,
        recall_pairs=256,
        recall_keys=4096,
        contexts=(1024, 8192, 65_536),
        decode_tokens=64,
        repeats=5,
        budget_mib=65_536,
    ),
}
