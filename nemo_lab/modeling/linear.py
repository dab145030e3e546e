"""The linear map of every layer, in the two memory layouts that the layers use."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Linear(nn.Linear):
    """`nn.Linear` that can also write its result channel-first.

    Precision recipes replace this class; both methods are one matrix product with `weight`.
    """

    def channel_first(self, x_TI: Tensor) -> Tensor:
        """W x^T: (T, in) -> (out, T). The transposition costs nothing inside the matrix product."""
        return torch.mm(self.weight, x_TI.t())
