"""The numbers behind notebook 01, mathematical web pages, one instance a scale."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class MathExtraction:
    """01: extractors on known pages, and models trained on what they extract."""

    seeds: int  # repeats of every training
    manuals: tuple[str, ...]  # whose pages are extracted
    pages: int  # of each manual and half
    matrix_pages: int  # of each form and half, ten formulas each
    blocks: int  # of code in the matrix of its markups, each half
    duplicates: int  # texts of the near-duplicate experiment
    vocab_size: int
    d_model: int  # of the small models, a multiple of 32
    steps: int
    batch_size: int  # rows a step
    length: int  # tokens of a row
    exam: int  # characters of each held-out page and kind
    peak_lr: float


_EXTRACTION = MathExtraction(
    seeds=3,
    manuals=("flint", "mpmath", "sympy", "gap", "itpp", "python"),
    pages=12,
    matrix_pages=100,
    blocks=60,
    duplicates=300,
    vocab_size=1024,
    d_model=64,
    steps=280,
    batch_size=8,
    length=256,
    exam=3000,
    peak_lr=6e-3,
)


SETTINGS: Mapping[str, MathExtraction] = {
    "smoke": replace(
        _EXTRACTION,
        seeds=1,
        manuals=("flint", "mpmath"),
        pages=2,
        matrix_pages=1,
        blocks=4,
        duplicates=40,
        vocab_size=300,
        d_model=32,
        steps=2,
        batch_size=2,
        length=64,
        exam=200,
    ),
    "laptop": _EXTRACTION,
    "gpu": replace(
        _EXTRACTION,
        seeds=5,
        pages=200,
        matrix_pages=1000,
        blocks=1000,
        duplicates=5000,
        vocab_size=8192,
        d_model=512,
        steps=3000,
        batch_size=64,
        length=1024,
        exam=10_000,
        peak_lr=1e-3,
    ),
    "cluster": replace(
        _EXTRACTION,
        seeds=5,
        pages=2000,
        matrix_pages=1000,
        blocks=10_000,
        duplicates=50_000,
        vocab_size=32_768,
        d_model=1024,
        steps=20_000,
        batch_size=256,
        length=2048,
        exam=10_000,
        peak_lr=5e-4,
    ),
}
