"""What a hybrid model remembers while it decodes, in buffers of fixed size that are allocated once.

An attention layer keeps the key and the value of every token, so its cache grows with the context. A Mamba-2
layer keeps a summary of constant size: the last inputs of its convolution and the state, P x N numbers a head
(Nemotron-H, arXiv 2504.03624, section 2.1; notebook 05 measures both with `cache_bytes`). The state is
float32 whatever the dtype of the matrix products, as the card of Nano v2 recommends: rounding errors of a
recurrence add up.

Two things differ from the plain recurrence of `ssd.ssd_step`, both for speed and both exact:

* The convolution's inputs sit in a ring of `conv_width` slots, so nothing is shifted.
* The state is not rewritten at every token, which would read and write it five times. The last `PENDING`
  tokens wait beside it as the rows x_j, B_j, w_j with w_j = exp(s_t - s_j) dt_j, and the output is
      y_t = exp(s_t) S_0 C_t + sum_j w_j <B_j, C_t> x_j + D x_t,
  which is the chunked form of state-space duality with a short open chunk. State (transposed, N rows) and
  pending x (PENDING rows) share one matrix a head, so a token costs one product that reads it once. When the
  chunk is full, `fold` turns it into state.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from nemo_lab.modeling.config import HybridConfig

PENDING = 8  # tokens of the open chunk: more would fold less often, but hold more bytes


class MambaCache:
    """The memory of one Mamba-2 layer for B sequences.

    Attributes:
        ring_KBC: the convolution's last inputs; token t of the decoding phase lies in slot t mod K.
        memory_XRP: for each of the X = B·H heads, N rows of state (transposed) and PENDING rows of x.
        keys_QBGN: B of the pending tokens.
        weight_SBH: first the weight of the state, then those of the pending tokens.
        pending: number of tokens in the open chunk.
        scratch_XNP: room for `fold`, which remembers nothing and is shared by the layers of a model; a fresh
            tensor of megabytes would cost more in page faults than the product itself.
    """

    def __init__(self, config: HybridConfig, batch: int, dtype: torch.dtype, device: torch.device) -> None:
        c, Q = config, PENDING
        exact = torch.promote_types(dtype, torch.float32)
        X = batch * c.ssm_heads
        self.scratch_XNP = torch.empty(X, c.ssm_state, c.ssm_head_dim, dtype=exact, device=device)

        def zeros(*shape: int) -> Tensor:
            return torch.zeros(*shape, dtype=exact, device=device)

        self.config, self.batch = config, batch
        self.ring_KBC = zeros(c.conv_width, batch, c.conv_channels)
        self.memory_XRP = zeros(X, c.ssm_state + Q, c.ssm_head_dim)
        self.keys_QBGN = zeros(Q, batch, c.ssm_groups, c.ssm_state)
        self.weight_SBH = zeros(1 + Q, batch, c.ssm_heads)
        self.state_XNP = self.memory_XRP[:, : c.ssm_state]
        self.lengths_B: Tensor | None = None
        self._make_views()
        self.reset()

    def _make_views(self) -> None:
        """Every slice that a step needs, made once: an index costs as much as a small operation."""
        B, N = self.batch, self.config.ssm_state
        rows = self.memory_XRP.view(B, -1, N + PENDING, self.memory_XRP.shape[-1])
        self.ring_slots = list(self.ring_KBC)
        self.x_slots = [rows[:, :, N + q] for q in range(PENDING)]
        self.key_slots = list(self.keys_QBGN.flatten(2))
        self.weight_slots = list(self.weight_SBH[1:])
        self.memory_until = [self.memory_XRP[:, : N + q + 1] for q in range(PENDING)]
        self.keys_until = [self.keys_QBGN[: q + 1] for q in range(PENDING)]
        self.older_weights = [self.weight_SBH[: q + 1] for q in range(PENDING)]
        grouped = self.weight_SBH.unflatten(-1, (self.config.ssm_groups, -1))
        self.state_weight = grouped[0][..., None]
        self.weights_until = [grouped[1 : q + 2] for q in range(PENDING)]

    def reset(self) -> None:
        """Forgets everything: the state before the first token of a sequence."""
        for buffer in (self.ring_KBC, self.memory_XRP, self.weight_SBH):
            buffer.zero_()
        self.weight_SBH[0] = 1.0
        self.pending = self.slot = 0

    def store(self, xBC_CBL: Tensor, state_BHPN: Tensor) -> None:
        """Takes over a prefill: the convolution's inputs and the state after the last token.

        Inputs at padding, that is further back than `lengths_B` of the row, count as zero. Of fewer sequences than
        the cache has, each fills as many neighbouring rows, a copy a row.
        """
        self.reset()
        group = self.batch // len(state_BHPN)
        kept = min(self.config.conv_width - 1, xBC_CBL.shape[-1])
        tail_KBC = xBC_CBL[..., xBC_CBL.shape[-1] - kept :].permute(2, 1, 0).repeat_interleave(group, 1)
        self.ring_KBC[-1 - kept : -1] = tail_KBC
        if self.lengths_B is not None:
            back_K1 = torch.arange(kept, 0, -1, device=tail_KBC.device)[:, None]
            self.ring_KBC[-1 - kept : -1] *= (back_K1 <= self.lengths_B)[..., None]
        self.slot = self.config.conv_width - 1
        state_BGHNP = self.state_XNP.unflatten(0, (-1, group, state_BHPN.shape[1]))
        state_BGHNP.copy_(state_BHPN[:, None].transpose(3, 4))

    def advance(self) -> None:
        """Ends a token: moves to the next slots and folds the chunk when it is full."""
        self.slot = (self.slot + 1) % self.config.conv_width
        self.pending += 1
        if self.pending == PENDING:
            self.fold()

    def fold(self) -> None:
        """Turns the open chunk into state: S <- exp(s_t) S + sum_j w_j B_j x_j^T."""
        if not self.pending:
            return
        c, q = self.config, self.pending
        weights_QBGJ = self.weights_until[q - 1]
        keys = self.keys_until[q - 1][:, :, :, None] * weights_QBGJ[..., None]
        keys_XNQ = keys.view(q, -1, c.ssm_state).permute(1, 2, 0)
        # Not baddbmm_: on a result that is a slice it runs one product after another.
        new_XNP = torch.bmm(keys_XNQ, self.memory_XRP[:, c.ssm_state : c.ssm_state + q], out=self.scratch_XNP)
        torch.addcmul(new_XNP, self.state_XNP, self.weight_SBH[0].view(-1, 1, 1), out=self.state_XNP)
        self.weight_SBH[0] = 1.0
        self.pending = 0

    @torch.inference_mode()
    def state_BHPN(self) -> Tensor:
        """The state of the plain recurrence after the last token."""
        self.fold()
        return self.state_XNP.unflatten(0, (self.batch, -1)).transpose(2, 3)

    def buffers(self) -> list[Tensor]:
        """All that is held."""
        return [self.ring_KBC, self.memory_XRP, self.keys_QBGN, self.weight_SBH]


class AttentionCache:
    """Keys and values of one attention layer, (B, n_kv_heads, max_length, head_dim), filled from the left."""

    def __init__(
        self, config: HybridConfig, batch: int, max_length: int, dtype: torch.dtype, device: torch.device
    ) -> None:
        shape = (batch, config.n_kv_heads, max_length, config.head_dim)
        self.k_BKTD = torch.zeros(shape, dtype=dtype, device=device)
        self.v_BKTD = torch.zeros(shape, dtype=dtype, device=device)

    def store(self, k_BKLD: Tensor, v_BKLD: Tensor) -> None:
        """Takes over a prefill: keys, already rotated, and values of its L columns.

        Of fewer sequences than the cache has, each fills as many neighbouring rows, a copy a row.
        """
        B, _, L, _ = k_BKLD.shape
        for room_BKTD, read_BKLD in ((self.k_BKTD, k_BKLD), (self.v_BKTD, v_BKLD)):
            room_BKTD.unflatten(0, (B, -1))[:, :, :, :L] = read_BKLD[:, None]

    def buffers(self) -> list[Tensor]:
        """All that is held."""
        return [self.k_BKTD, self.v_BKTD]


Cache = MambaCache | AttentionCache | None


def make_caches(
    config: HybridConfig, batch: int, max_length: int, dtype: torch.dtype, device: torch.device
) -> list[Cache]:
    """One cache a layer of the pattern; None for feed-forward layers, which remember nothing."""

    def make(kind: str) -> Cache:
        if kind == "M":
            return MambaCache(config, batch, dtype, device)
        return AttentionCache(config, batch, max_length, dtype, device) if kind == "*" else None

    caches = [make(kind) for kind in config.pattern]
    mamba = [cache for cache in caches if isinstance(cache, MambaCache)]
    for cache in mamba:
        cache.scratch_XNP = mamba[0].scratch_XNP
    return caches


def cache_bytes(caches: Iterable[Cache]) -> dict[str, int]:
    """Bytes held, by kind of layer: "M" does not depend on the length, "*" is proportional to it."""
    held = {"M": 0, "*": 0}
    for cache in caches:
        if cache is not None:
            kind = "M" if isinstance(cache, MambaCache) else "*"
            held[kind] += sum(t.numel() * t.element_size() for t in cache.buffers())
    return held
