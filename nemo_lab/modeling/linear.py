"""The linear map of every layer, in the two memory layouts that the layers use, and what is wider than its inputs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

BESIDE = ("scales.", "_extra_state")  # what layers of a precision recipe keep beside their weights


class Linear(nn.Linear):
    """`nn.Linear` that can also write its result channel-first.

    Precision recipes replace this class; both methods are one matrix product with `weight`. What such a layer keeps
    beside its weights means nothing to this one, which leaves it out when it loads that layer's state.
    """

    def channel_first(self, x_TI: Tensor) -> Tensor:
        """W x^T: (T, in) -> (out, T). The transposition costs nothing inside the matrix product."""
        return torch.mm(self.weight, x_TI.t())

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        beside = tuple(prefix + name for name in BESIDE)
        for name in [name for name in state_dict if name.startswith(beside)]:
            del state_dict[name]
        super()._load_from_state_dict(state_dict, prefix, *rest)  # type: ignore[no-untyped-call]


def wide(t: Tensor) -> Tensor:
    """Return a tensor in at least float32, which sums, exponentials and losses need whatever the layers compute in."""
    return t.to(torch.promote_types(t.dtype, torch.float32))
