"""The numbers behind every notebook: one frozen dataclass a notebook, one instance a scale.

Plain Python, reviewed like code. Each field is also a knob: `-p steps 50` on papermill's command line, or a
name in the notebook's parameters cell. A field `seeds` says over how many seeds claims are judged.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import Any

from nemo_lab.errors import LabError


@dataclass(frozen=True)
class StartHere:
    """00: a tiny model, trained and sampled live."""

    steps: int  # optimiser steps
    batch_size: int  # sequences a step
    length: int  # tokens a sequence
    bytes_per_corpus: int  # bytes of each corpus to train on
    held_out_bytes: int  # bytes of each corpus to test on
    new_tokens: int  # tokens of a sample
    prompt: str = "The"  # what a sample goes on from
    temperature: float = 0.7  # 0: always the likeliest token


@dataclass(frozen=True)
class ClimbMixing:
    """03: search for a mixture of clusters, with the same budget for every method."""

    seeds: int  # repeats of the whole search
    corpora: int  # of the pool, the first so many of those that can be had
    train_bytes: int  # of text of each corpus
    held_out_bytes: int  # of text that proxies are scored on
    test_bytes: int  # of text that targets are judged on
    vocab_size: int  # tokens of the tokenizer
    length: int  # tokens a row
    batch_size: int  # rows a step
    k_init: int  # k-means cells
    clusters: int  # after merging
    threshold: float  # mean quality, 0 to 5, below which a cell is dropped
    d_proxy: int  # width of a proxy
    proxy_pairs: int  # of attention and feed-forward layers in it
    proxy_steps: int
    proxy_lr: float
    base_steps: int  # of the common start of proxies and targets; 0: from scratch
    rounds: tuple[int, ...]  # proxies of each round of a search
    candidates: int  # mixtures that a predictor ranks
    noise_seeds: int  # proxies of one mixture for the noise floor
    larger_seeds: int  # repeats of the search with larger proxies
    d_larger: int  # width of larger proxies, about four times the parameters
    larger_lr: float
    d_target: int  # width of a target, about ten times a proxy's parameters
    target_pairs: int
    target_steps: int
    target_lr: float
    grid: int  # steps of the simplex that is searched exhaustively
    other_clusters: tuple[int, ...]  # numbers of clusters that are tried beside `clusters`

    def __post_init__(self) -> None:
        if self.clusters < 2:
            raise LabError(f"Parameter clusters is {self.clusters}, expected at least 2: one alone cannot be mixed.")


@dataclass(frozen=True)
class TwoPhase:
    """04: blends and their order on sources of measured quality."""

    seeds: int  # repeats of every comparison
    steps: int  # training steps of a run; with the next two the horizon in tokens
    batch_size: int  # sequences a step
    length: int  # tokens a sequence
    peak_lr: float  # LOG.md has the search
    d_model: int  # width of the model, a multiple of 32
    vocab_size: int  # tokens of the tokenizer
    corpus_bytes: int  # of text of each source, from which its unique tokens are taken
    held_out_bytes: int  # of text of each domain
    probe_steps: int  # training steps of a probe of one source's quality
    unique: float  # unique tokens of all sources together, in horizons
    unique_scarce: float  # the same in the experiment on horizons
    ratio: float  # the best source's weight over the worst's; the worst's size over the best's
    odds: float  # how much likelier the best source's tokens come late than the worst's
    switch: float  # share of the run before the second phase
    switches: tuple[float, ...]  # other such shares, for the sweep
    epochs: tuple[float, ...]  # of the scarce source, for the sweep
    powers: tuple[float, ...]  # of the sizes, for the blends that two horizons rank
    shrink: int  # how many times shorter the short horizon is

    def __post_init__(self) -> None:
        for name in ("ratio", "odds"):
            if getattr(self, name) <= 0:
                raise LabError(f"Parameter {name} is {getattr(self, name)}, expected a positive number, such as 8.0.")


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


@dataclass(frozen=True)
class Performance:
    """90: this machine's limits, and ours against Hugging Face on the same weights."""

    rounds: int  # ours and theirs in turn, so often
    batch_size: int  # sequences a training step
    length: int  # tokens a training sequence
    steps: int  # training steps timed a round
    new_tokens: int  # tokens decoded a sequence
    largest_matrix: int  # rows of the largest square matrix product
    largest_mb: int  # MB of the largest arrays that are copied
    budget: float  # seconds for each single limit
    proxies: int = 16  # of a mixture search, trained in a round
    proxy_steps: int = 20  # of each
    proxy_rounds: int = 4  # ours and theirs in turn, so often
    grpo_models: int = 2  # policies, the first so many
    grpo_prompts: int = 32  # a step of GRPO
    grpo_group: int = 16  # answers to a prompt
    grpo_steps: int = 4  # timed a round
    grpo_rounds: int = 3  # ours and theirs in turn, so often
    extract_rounds: int = 4  # ours and trafilatura in turn, so often
    extract_pages: int = 500  # web pages a round


_CLIMB = ClimbMixing(
    seeds=5,
    corpora=11,
    train_bytes=300_000,
    held_out_bytes=20_000,
    test_bytes=40_000,
    vocab_size=1024,
    length=128,
    batch_size=16,
    k_init=32,
    clusters=10,
    threshold=1.5,
    d_proxy=32,
    proxy_pairs=2,
    proxy_steps=20,
    proxy_lr=8e-3,
    base_steps=200,
    rounds=(32, 16, 8),
    candidates=10_000,
    noise_seeds=8,
    larger_seeds=3,
    d_larger=96,
    larger_lr=4e-3,
    d_target=128,
    target_pairs=4,
    target_steps=32,
    target_lr=4e-3,
    grid=6,
    other_clusters=(4, 20),
)
_TWO_PHASE = TwoPhase(
    seeds=4,
    steps=120,
    batch_size=32,
    length=128,
    peak_lr=1.6e-2,
    d_model=32,
    vocab_size=1024,
    corpus_bytes=900_000,
    held_out_bytes=20_000,
    probe_steps=40,
    unique=1.8,
    unique_scarce=0.9,
    ratio=8.0,
    odds=16.0,
    switch=0.6,
    switches=(0.4, 0.5, 0.7, 0.8, 0.9),
    epochs=(1.0, 2.0, 4.0, 8.0, 16.0),
    powers=(1.5, 1.0, 0.5, 0.0, -0.5, -1.0, -1.5, -2.0),
    shrink=4,
)
_TWO_PHASE_SMOKE: Mapping[str, Any] = {
    "seeds": 1,
    "steps": 8,
    "batch_size": 4,
    "length": 64,
    "vocab_size": 512,
    "corpus_bytes": 30_000,
    "held_out_bytes": 2_000,
    "probe_steps": 2,
    "switches": (0.8,),
    "epochs": (1.0, 4.0),
}
# Two million tokens are what the scarcest of the packaged corpora allows.
_TWO_PHASE_LARGE: Mapping[str, Any] = {
    "steps": 160,
    "length": 512,
    "vocab_size": 4096,
    "corpus_bytes": 3_400_000,
    "held_out_bytes": 100_000,
    "unique": 0.9,
    "unique_scarce": 0.45,
}

# Imported by name: `code`, which hashes what a notebook imports, takes the rows of these tables and not the files.
_ROOMS = ("curation", "extraction", "precision", "pruning", "puzzle", "reasoning")
_IN_ROOMS = [import_module(f"nemo_lab.lab.{room}_settings").SETTINGS for room in _ROOMS]

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    **{notebook: scales for room in _IN_ROOMS for notebook, scales in room.items()},
    "00_start_here": {
        "smoke": StartHere(8, 4, 64, bytes_per_corpus=5_000, held_out_bytes=1_000, new_tokens=16),
        "laptop": StartHere(300, 16, 128, bytes_per_corpus=200_000, held_out_bytes=10_000, new_tokens=80),
        "gpu": StartHere(2000, 64, 512, bytes_per_corpus=1_000_000, held_out_bytes=50_000, new_tokens=99),
        "cluster": StartHere(2000, 64, 512, bytes_per_corpus=1_000_000, held_out_bytes=50_000, new_tokens=99),
    },
    "03_climb_mixing": {
        "smoke": replace(
            _CLIMB,
            seeds=1,
            corpora=4,
            train_bytes=15_000,
            held_out_bytes=1_000,
            test_bytes=1_000,
            vocab_size=512,
            length=64,
            batch_size=4,
            k_init=8,
            clusters=4,
            proxy_steps=2,
            base_steps=2,
            rounds=(5, 1),
            candidates=200,
            noise_seeds=2,
            larger_seeds=1,
            d_larger=64,
            d_target=64,
            target_steps=1,
            grid=2,
            other_clusters=(3,),
        ),
        "laptop": _CLIMB,
        "gpu": replace(
            _CLIMB,
            corpora=13,
            train_bytes=4_000_000,
            held_out_bytes=200_000,
            test_bytes=300_000,
            vocab_size=16_384,
            length=1024,
            batch_size=32,
            k_init=1000,
            clusters=21,
            d_proxy=256,
            proxy_pairs=6,
            proxy_steps=300,
            proxy_lr=1e-3,
            base_steps=3000,
            rounds=(64, 32, 16),
            candidates=100_000,
            d_larger=512,
            larger_lr=7e-4,
            d_target=768,
            target_pairs=12,
            target_steps=1000,
            target_lr=5e-4,
        ),
        "cluster": replace(
            _CLIMB,
            corpora=13,
            train_bytes=4_000_000,
            held_out_bytes=200_000,
            test_bytes=300_000,
            vocab_size=131_072,
            length=4096,
            batch_size=512,
            k_init=1000,
            clusters=21,
            d_proxy=512,
            proxy_pairs=12,
            proxy_steps=20_000,
            proxy_lr=5e-5,
            base_steps=100_000,
            rounds=(64, 32, 16),
            candidates=100_000,
            d_larger=1024,
            larger_lr=5e-5,
            d_target=2048,
            target_pairs=24,
            target_steps=20_000,
            target_lr=5e-5,
        ),
    },
    "04_two_phase_pretraining": {
        "smoke": replace(_TWO_PHASE, **_TWO_PHASE_SMOKE),
        "laptop": _TWO_PHASE,
        "gpu": replace(_TWO_PHASE, seeds=5, d_model=256, peak_lr=4e-3, **_TWO_PHASE_LARGE),
        "cluster": replace(_TWO_PHASE, seeds=8, d_model=768, peak_lr=2e-3, **_TWO_PHASE_LARGE),
    },
    "05_hybrid_architecture": {
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
    },
    "90_performance": {
        "smoke": Performance(
            1,
            1,
            64,
            1,
            new_tokens=4,
            largest_matrix=256,
            largest_mb=16,
            budget=0.01,
            proxies=2,
            proxy_steps=2,
            proxy_rounds=1,
            grpo_models=1,
            grpo_prompts=2,
            grpo_group=2,
            grpo_steps=1,
            grpo_rounds=1,
            extract_rounds=1,
            extract_pages=96,
        ),
        "laptop": Performance(6, 4, 512, 3, new_tokens=64, largest_matrix=2048, largest_mb=256, budget=0.2),
        "gpu": Performance(6, 8, 2048, 9, new_tokens=99, largest_matrix=8192, largest_mb=4096, budget=0.5),
        "cluster": Performance(6, 8, 2048, 9, 99, largest_matrix=8192, largest_mb=4096, budget=0.5),
    },
}
