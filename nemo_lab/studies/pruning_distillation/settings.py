"""The numbers behind notebook 07, pruning and distillation, one instance a scale."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nemo_lab.errors import LabError


@dataclass(frozen=True)
class Pruning:
    """07: one parent, pruned along every axis, distilled, and compared at equal size, tokens and memory."""

    seeds: int  # parents, each with all its children
    pattern: str  # of the parent's layers, with two attention layers at least
    d_model: int  # its width, a multiple of 16; the FFN is six times as wide, the Mamba-2 layers three times
    ssm_heads: int  # of its Mamba-2 layers, in three groups, a multiple of 24
    vocab_size: int  # tokens of the tokenizer
    domains: int  # corpora of the text
    train_bytes: int  # of text of each
    held_out_bytes: int  # of text of each that models are scored on
    length: int  # tokens a row
    batch_size: int  # rows a step, everywhere
    steps: int  # of the parent's training
    peak_lr: float  # its learning rate; LOG.md has the search
    control_steps: int  # of the parents with one group
    calibration: int  # batches that importance is measured on
    share: float  # of the parent's parameters in children of equal size
    heal_steps: int  # of a short distillation
    heal_lr: float
    long_steps: int  # of MiniPuzzle's last distillation
    scratch: tuple[int, ...]  # lengths of the runs from scratch, in short distillations
    memory: float  # MiniPuzzle's budget, of what the parent takes
    tried: int  # candidates that it scores without training
    context: int  # tokens behind a decoded one, for MiniPuzzle's budget
    long_context: int  # the same for the comparison with a Transformer
    decode_tokens: int  # tokens that a timing decodes, of one for every 64 of the context
    repeats: int  # timings

    def __post_init__(self) -> None:
        if self.ssm_heads % 24:
            raise LabError(f"Parameter ssm_heads is {self.ssm_heads}, expected a multiple of 24.")
        if self.pattern.count("*") < 2:
            raise LabError(f"Parameter pattern is {self.pattern!r}, expected two attention layers (*) at least.")


_PRUNING = Pruning(
    seeds=3,
    pattern="M-M*-M-M*-",
    d_model=64,
    ssm_heads=24,
    vocab_size=512,
    domains=6,
    train_bytes=400_000,
    held_out_bytes=3_000,
    length=128,
    batch_size=8,
    steps=600,
    peak_lr=8e-3,
    control_steps=60,
    calibration=4,
    share=0.62,
    heal_steps=32,
    heal_lr=4e-3,
    long_steps=200,
    scratch=(1, 2, 5),
    memory=0.6,
    tried=16,
    context=4096,
    long_context=32_768,
    decode_tokens=64,
    repeats=5,
)


SETTINGS: Mapping[str, Pruning] = {
    "smoke": replace(
        _PRUNING,
        seeds=1,
        domains=2,
        train_bytes=20_000,
        held_out_bytes=1_000,
        batch_size=2,
        length=64,
        steps=4,
        control_steps=1,
        calibration=1,
        heal_steps=1,
        long_steps=2,
        scratch=(1, 2),
        tried=3,
        context=256,
        long_context=512,
        decode_tokens=8,
        repeats=2,
    ),
    "laptop": _PRUNING,
    "gpu": replace(
        _PRUNING,
        seeds=5,
        pattern="M-M-M*-M-M-M-M*-M-M-M-",
        d_model=768,
        ssm_heads=48,
        vocab_size=16_384,
        domains=13,
        train_bytes=50_000_000,
        held_out_bytes=200_000,
        length=1024,
        batch_size=64,
        steps=10_000,
        peak_lr=1e-3,
        control_steps=500,
        calibration=16,
        heal_steps=500,
        heal_lr=3e-4,
        long_steps=4000,
        tried=100,
        context=16_384,
        long_context=65_536,
        decode_tokens=1024,
        repeats=10,
    ),
    "cluster": replace(
        _PRUNING,
        seeds=5,
        pattern="M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-",
        d_model=2048,
        ssm_heads=96,
        vocab_size=65_536,
        domains=13,
        train_bytes=1_000_000_000,
        held_out_bytes=1_000_000,
        length=4096,
        batch_size=256,
        steps=50_000,
        peak_lr=3e-4,
        control_steps=1000,
        calibration=32,
        heal_steps=2000,
        heal_lr=1e-4,
        long_steps=20_000,
        tried=200,
        context=65_536,
        long_context=65_536,
        decode_tokens=1024,
        repeats=10,
    ),
}
