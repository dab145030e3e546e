"""What keeps a model from changing its thought: transition keywords banned while tokens are drawn.

Retro-Search (arXiv 2504.04383) bans them *only while the immediately next step is decoded*; behind its blank line
decoding is free. A keyword may have several tokens, so there are two forms:

    first token   what a keyword's usual spelling begins with is banned anywhere in the step, in lower, title and
                  upper case, with and without a leading space. Cheap and the common choice; it also bans other
                  words that begin with the same token.
    completion    the token that would complete a keyword *at the beginning of the step*, given the text so far,
                  is banned. Nothing else is, and a keyword spelled in unusual tokens is caught too; but what
                  began as a keyword has to go on as something else.

Both are functions for `sample_responses(…, adjust=…)`. The soft form is the penalty of TIP (arXiv 2501.18585).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from nemo_lab.errors import LabError, check_number, check_whole, one_of, shown
from nemo_lab.reasoning.retro.thoughts import KEYWORDS, check_keywords, split_steps, starts_with_keyword
from nemo_lab.reasoning.rollouts import Adjust

Banned = Callable[[Tensor, Mapping[int, list[int]]], Tensor]
"""Sets logits (B, V) of the rows that are named, given their new tokens, to −∞ and returns them."""

BANS = ("first step", "always", "never")
FORMS = ("first token", "completion")


class Tokens(Protocol):
    """What turns text into tokens and back; a `Policy` does, and a `Codec`."""

    @property
    def vocab_size(self) -> int:
        """Tokens in all."""
        ...

    def encode(self, text: str, /) -> list[int]:
        """Token ids of a text."""
        ...

    def decode(self, tokens: Sequence[int], /) -> str:
        """The text of tokens."""
        ...


def switch_tokens(codec: Tokens, keywords: Sequence[str] = KEYWORDS) -> list[int]:
    """The first token of every keyword in lower, title and upper case, with and without a space before it.

    A first token that is blank (a space of its own) is passed over for the next one: banning it would ban
    spaces.

    Raises:
        LabError: what has no tokens, or keywords that are none.
    """
    if not hasattr(codec, "encode") or not hasattr(codec, "decode"):
        raise LabError(f"The tokens are to come from {shown(codec)}; give a Policy or a Codec.")
    check_keywords(keywords)
    found = set()
    for keyword in keywords:
        for cased in {keyword.lower(), keyword.capitalize(), keyword.upper()}:
            for variant in (cased, " " + cased):
                tokens = codec.encode(variant)
                found.add(next(token for token in tokens if codec.decode([token]).strip()))
    return sorted(found)


def ban_switches(
    codec: Tokens, keywords: Sequence[str] = KEYWORDS, ban: str = "first step", form: str = "first token"
) -> Adjust | None:
    """The hook that sets the logits of banned tokens to −∞.

    Args:
        keywords: what opens a new thought.
        ban: "first step" is the paper's; "always" and "never" are for comparison. "never" gives no hook.
        form: see the head of this module.

    Raises:
        LabError: an unknown ban or form, or keywords that are none.
    """
    check_keywords(keywords)
    for name, value, known in (("ban", ban, BANS), ("form", form, FORMS)):
        if value not in known:
            raise LabError(one_of(name, value, known))
    if ban == "never":
        return None
    banned_in = _banned_first(codec, keywords) if form == "first token" else _banned_completions(codec, keywords)
    first = _FirstStep(codec)

    def adjust(logits_BV: Tensor, new: list[list[int]]) -> Tensor:
        rows = {row: tokens for row, tokens in enumerate(new) if ban == "always" or first.is_open(row, tokens)}
        return banned_in(logits_BV.clone(), rows)

    return adjust


class _FirstStep:
    """Whether rows are in their first step; reads only tokens that are new, as decoding all each time is slow."""

    def __init__(self, codec: Tokens) -> None:
        self.codec = codec
        self.breaks = {token for token in range(codec.vocab_size) if "\n" in codec.decode([token])}
        self.read: dict[int, int] = {}
        self.finished: set[int] = set()

    def is_open(self, row: int, tokens: list[int]) -> bool:
        """Call it as a row grows; a row that is shorter than it was is another one."""
        seen = self.read.get(row, 0)
        if len(tokens) < seen:
            self.finished.discard(row)
            seen = 0
        self.read[row] = len(tokens)
        if row not in self.finished and not self.breaks.isdisjoint(tokens[seen:]):
            self.finished.update([row] if open_step(self.codec.decode(tokens))[0] else [])
        return row not in self.finished


def open_step(text: str) -> tuple[int, str]:
    """How many steps of a text are finished, and what there is of the one that is being written."""
    steps = split_steps(text + "\0")
    return len(steps) - 1, steps[-1][:-1]


def penalise_switches(codec: Tokens, keywords: Sequence[str] = KEYWORDS, alpha: float = 3.0, beta: int = 600) -> Adjust:
    """The thought-switching penalty of TIP: `alpha` off the logits of switch tokens.

    It holds for the first `beta` tokens of a thought, counted from the switch token drawn last, or from the
    beginning. 3 and 600 are the paper's values, for thoughts of hundreds of tokens.

    Raises:
        LabError: a penalty below 0, a number of tokens that is none, keywords that are none.
    """
    check_number("alpha", alpha, least=0)
    check_whole("beta", beta, 0)
    switches = switch_tokens(codec, keywords)
    index = torch.tensor(switches)

    def adjust(logits_BV: Tensor, new: list[list[int]]) -> Tensor:
        rows = [row for row, tokens in enumerate(new) if _since(tokens, switches) < beta]
        logits_BV = logits_BV.clone()
        logits_BV[torch.tensor(rows, dtype=torch.long)[:, None], index] -= alpha
        return logits_BV

    return adjust


def _since(tokens: Sequence[int], switches: Sequence[int]) -> int:
    """Tokens drawn since the last switch token."""
    last = max((i for i, token in enumerate(tokens) if token in switches), default=0)
    return len(tokens) - last


def _banned_first(codec: Tokens, keywords: Sequence[str]) -> Banned:
    index = torch.tensor(switch_tokens(codec, keywords))

    def banned(logits_BV: Tensor, rows: Mapping[int, list[int]]) -> Tensor:
        logits_BV[torch.tensor(list(rows), dtype=torch.long)[:, None], index] = -torch.inf
        return logits_BV

    return banned


def _banned_completions(codec: Tokens, keywords: Sequence[str]) -> Banned:
    pieces = [codec.decode([token]) for token in range(codec.vocab_size)]

    @lru_cache(maxsize=4096)
    def completing(tail: str) -> Tensor:
        ends = [i for i, piece in enumerate(pieces) if piece and starts_with_keyword(tail + piece, keywords)]
        return torch.tensor([] if starts_with_keyword(tail, keywords) else ends, dtype=torch.long)

    def banned(logits_BV: Tensor, rows: Mapping[int, list[int]]) -> Tensor:
        for row, tokens in rows.items():
            logits_BV[row, completing(open_step(codec.decode(tokens))[1])] = -torch.inf
        return logits_BV

    return banned
