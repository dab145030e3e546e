"""The numbers behind notebook 08, architecture search, one instance a scale."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from nemo_lab.errors import LabError


@dataclass(frozen=True)
class PuzzleNAS:
    """08: a library, scores, a search and distillation on SmolLM2-135M-Instruct."""

    seeds: int  # repeats, each with its own library, scores and distillation text
    layers: int  # of the parent, the first so many of its 30
    heads: tuple[str, ...]  # options of an attention: key-value heads, linear, 0 for none; the parent's first
    widths: tuple[str, ...]  # options of a feed-forward part: intermediate widths, linear, 0; the parent's first
    length: int  # tokens of a row of text
    library_rows: int  # of text that alternatives are fitted on, a quarter of it held out
    score_rows: int  # of text that alternatives are scored on
    held_out_rows: int  # of text that children are judged on
    local_steps: int  # of Adam on alternatives, in the trial of what it adds to solving for their last matrix
    local_lr: float
    share: float  # of the parent's time in its layers that a child may take
    steps: int  # of global distillation
    batch_rows: int  # rows a step
    lr: float  # its peak; LOG.md has the search
    every: int  # layers between two streams whose cosine counts
    architectures: int  # random ones on which the sum of scores is tested
    context: int  # tokens behind the one that is decoded
    prompt: int  # tokens of a prefill
    repeats: int  # of each measurement of time
    windows: int  # runs of layers whose feed-forward parts are fused
    chat_tokens: int  # of an answer at most
    published: str = ""  # a folder with a clone of NVlabs/puzzle, whose optima are found again; none: skipped

    def __post_init__(self) -> None:
        """Refuse a share of the parent's time, or a distance of recorded layers, with which no search could end well.

        Raises:
            LabError: the share is not between 0 and 1, or no layer would be recorded.
        """
        if not 0 < self.share < 1:
            raise LabError(
                f"share is {self.share}, expected more than 0 and less than 1: the part of the parent's time in its "
                "layers that a child may take."
            )
        if not 1 <= self.every <= self.layers:
            raise LabError(f"every is {self.every}, expected 1 to {self.layers}, the parent's layers; lower it.")


_PUZZLE = PuzzleNAS(
    seeds=3,
    layers=30,
    heads=("3", "1", "linear", "0"),
    widths=("1536", "1152", "768", "384", "linear", "0"),
    length=128,
    library_rows=32,
    score_rows=3,
    held_out_rows=8,
    local_steps=20,
    local_lr=1e-3,
    share=0.9,
    steps=10,
    batch_rows=2,
    lr=1e-4,
    every=5,
    architectures=24,
    context=256,
    prompt=256,
    repeats=15,
    windows=8,
    chat_tokens=32,
)


SETTINGS: Mapping[str, PuzzleNAS] = {
    "smoke": replace(
        _PUZZLE,
        seeds=1,
        layers=3,
        widths=("1536", "384", "linear", "0"),
        length=32,
        library_rows=4,
        score_rows=2,
        held_out_rows=2,
        steps=2,
        every=2,
        architectures=4,
        context=8,
        prompt=16,
        repeats=1,
        windows=1,
        chat_tokens=4,
    ),
    "laptop": _PUZZLE,
    "gpu": replace(
        _PUZZLE,
        seeds=5,
        length=1024,
        library_rows=512,
        score_rows=64,
        held_out_rows=128,
        local_steps=200,
        steps=2000,
        batch_rows=32,
        lr=1e-4,
        every=1,
        architectures=200,
        context=1024,
        prompt=2048,
        windows=27,
    ),
    "cluster": replace(
        _PUZZLE,
        seeds=5,
        length=2048,
        library_rows=8192,
        score_rows=512,
        held_out_rows=512,
        local_steps=2000,
        steps=20_000,
        batch_rows=256,
        lr=5e-5,
        every=1,
        architectures=1000,
        context=4096,
        prompt=8192,
        windows=27,
    ),
}
