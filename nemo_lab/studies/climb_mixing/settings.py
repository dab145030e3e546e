"""The numbers behind notebook 03, the search for a mixture, one instance a scale."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nemo_lab.errors import LabError


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


SETTINGS: Mapping[str, ClimbMixing] = {
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
}
