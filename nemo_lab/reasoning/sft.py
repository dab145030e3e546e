"""Supervised fine-tuning on pairs of prompt and response: the loss counts the response and its end token.

A row is one pair, padded on the right; the model is causal, so padding behind the end changes nothing before it.
The mask comes from lengths and never from token ids: a model whose padding token is its end token (SmolLM2-Instruct
ships so) would otherwise never be taught to stop.

    source = pair_source(lambda step: pairs_of_this_step, codec.encode, codec.end, codec.pad)
    train(model, source, TrainSettings(steps=800, batch_size=128, peak_lr=2e-3))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from nemo_lab.errors import LabError, check_each, check_whole, shown
from nemo_lab.training.identity import fingerprint, fingerprint_of
from nemo_lab.training.packing import IGNORE, Batch

Pair = tuple[str, str]  # prompt, response
MULTIPLE = 8  # row lengths are rounded up to one: fewer shapes, for each of which kernels are set up anew


def pair_batch(prompts: Sequence[Sequence[int]], responses: Sequence[Sequence[int]], pad: int) -> Batch:
    """Prompt and response as rows of tokens and targets, (B, L); targets outside the response are `IGNORE`.

    The response should carry its end token. Token t predicts token t + 1, so the last prompt token predicts
    the first of the response, and the last response token is a target only.

    Raises:
        LabError: no pair, a prompt or a response without a token or with a part of one, or more of the one than of
            the other.
    """
    for name, rows_ in (("prompts", prompts), ("responses", responses)):
        check_each(name, rows_, Sequence, some=True)
    if len(prompts) != len(responses) or not all(map(len, [*prompts, *responses])):
        raise LabError(
            f"{len(prompts)} prompts and {len(responses)} responses; expected pairs of at least one token each, "
            "the response with its end token."
        )
    check_whole("pad", pad, 0)
    rows = [[*prompt, *response] for prompt, response in zip(prompts, responses, strict=True)]
    longest = -(-(max(map(len, rows)) - 1) // MULTIPLE) * MULTIPLE
    tokens_BL = torch.full((len(rows), longest), pad)
    targets_BL = torch.full((len(rows), longest), IGNORE)
    for i, (prompt, row) in enumerate(zip(prompts, rows, strict=True)):
        row_L = torch.tensor(row)
        if row_L.is_floating_point():
            raise LabError(f"Pair {i} has tokens {shown(row)}, expected whole numbers as an `encode` gives them.")
        tokens_BL[i, : len(row) - 1] = row_L[:-1]
        targets_BL[i, len(prompt) - 1 : len(row) - 1] = row_L[len(prompt) :]
    return Batch(tokens_BL, targets_BL, torch.zeros_like(tokens_BL))


def pair_source(
    pairs: Callable[[int], Sequence[Pair]], encode: Callable[[str], list[int]], end: int | Sequence[int], pad: int
) -> Callable[[int], Batch]:
    """Data for `training.train`: the batch of a step from the pairs of that step.

    `pairs` must depend on nothing but the step, so that a killed run resumes with the same data; with a folder it
    needs a fingerprint (`training.with_fingerprint`). Of several end tokens, as of a `Policy`, the first is taught.
    """
    return PairSource(pairs, encode, end if isinstance(end, int) else end[0], pad)


def _without(opening: list[int], tokens: list[int]) -> list[int]:
    return tokens[len(opening) :] if tokens[: len(opening)] == opening else tokens


@dataclass(frozen=True)
class PairSource:
    """What `pair_source` returns: called with a step it gives the batch."""

    pairs: Callable[[int], Sequence[Pair]]
    encode: Callable[[str], list[int]]
    end: int
    pad: int

    def __call__(self, step: int) -> Batch:
        """The batch of a step."""
        prompts, responses = zip(*self.pairs(step), strict=True)
        opening = self.encode("")  # such as <bos>, which belongs before a prompt and not between it and the response
        said = [[*_without(opening, self.encode(response)), self.end] for response in responses]
        return pair_batch([self.encode(prompt) for prompt in prompts], said, self.pad)

    @property
    def fingerprint(self) -> str:
        """Of the pairs, and of the tokens that are made of the first step's, by which the codec is known.

        Raises:
            TrainingError: the pairs have none.
        """
        return fingerprint(fingerprint_of(self.pairs, "pairs"), self.end, self.pad, *self(0))
