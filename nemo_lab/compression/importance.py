r"""How much each part of a model matters, from forward passes alone: no gradient, no training.

Scores are activations on calibration text, averaged over a sequence as mean |.| and over sequences as the
root of the sum of squares (Minitron, arXiv 2407.14679, Table 11; the group-aware paper, arXiv 2504.11409,
eq. 19-27, whose wording leaves the order open):

    Mamba-2, (H, P)    x: W_x LN(X)    z: W_z LN(X)    out: the input of W_out
    FFN, (F,)          before: W_1 LN(X)    after: its squared ReLU, which Nemotron-H's MiniPuzzle scores
    embedding, (d,)    LN(X), summed over all layers that read it
    attention, (Q,)    the length of a head's output, ||Attn(X W_q, X W_k, X W_v)||, before W_o (Minitron, section 2)
    states, (G, N)     the score of W_B LN(X) times that of W_C LN(X); ours, for no paper prunes states

`flap` (FLAP, arXiv 2312.11983) is the variance of a matrix's input times the squared norm of the column that
reads it, ||W_j||^2 Var(X_j), for W_out and W_2. The published choice for Mamba-2 is `x`.

Shapes: B rows, L tokens, d width, F neurons, H heads, P head channels, G groups, N states, Q query heads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.modeling.mlp import squared_relu

Scores = Mapping[int, Tensor]
MAMBA_SCORES = ("x", "z", "out", "flap")
NEURON_SCORES = ("before", "after", "flap")


@dataclass(frozen=True)
class Importance:
    """Scores by axis; higher matters more. `mamba` and `neurons` are keyed by the score's name, then layer."""

    embedding: Tensor
    neurons: Mapping[str, Scores]
    mamba: Mapping[str, Scores]
    attention: Scores = field(default_factory=dict)
    states: Scores = field(default_factory=dict)


@torch.no_grad()
def measure_importance(model: HybridLM, batches: Iterable[Any]) -> Importance:
    """Scores of all width axes on calibration rows.

    Args:
        model: left as it was.
        batches: tuples that begin with tokens_BL, targets and document_BL, such as `training.Batch`.

    Raises:
        LabError: no `HybridLM`, no batch, or something else than batches.
    """
    if not isinstance(model, HybridLM):
        raise LabError(f"model is a {type(model).__name__}, expected a HybridLM.")
    sums = _Sums()
    was_training = model.training
    model.eval()
    with _listening(model, sums):
        for tokens_BL, _, document_BL in calibration(batches):
            model.hidden(tokens_BL, document_BL)
    model.train(was_training)
    if not sums.squares:
        raise LabError("There is no calibration text: give at least one batch.")
    return _collect(model, sums)


def random_importance(config: HybridConfig, seed: int) -> Importance:
    """Uniform random scores in every place: the control."""
    generator = torch.Generator().manual_seed(seed)

    def of(kind: str, *shape: int) -> dict[int, Tensor]:
        return {i: torch.rand(*shape, generator=generator) for i, k in enumerate(config.pattern) if k == kind}

    return Importance(
        torch.rand(config.d_model, generator=generator),
        {name: of("-", config.d_ff) for name in NEURON_SCORES},
        {name: of("M", config.ssm_heads, config.ssm_head_dim) for name in MAMBA_SCORES},
        of("*", config.n_heads),
        of("M", config.ssm_groups, config.ssm_state),
    )


def calibration(batches: Iterable[Any]) -> Iterator[tuple[Tensor, Tensor, Tensor | None]]:
    """Yield (tokens_BL, targets_BL, document_BL) of each batch.

    Raises:
        LabError: something that is no batch, or nothing that could hold any.
    """
    if isinstance(batches, str | Tensor) or not isinstance(batches, Iterable):
        raise LabError(
            f"batches are {batches!r:.60}, expected several, as `training.batch` makes; put one into brackets."
        )
    for number, one in enumerate(batches):
        if not isinstance(one, tuple | list) or len(one) != 3 or not isinstance(one[0], Tensor):
            raise LabError(
                f"Batch {number} is {one!r:.60}, expected tokens, targets and documents, as of `training.batch`."
            )
        yield one[0], one[1], one[2]


class _Sums:
    """Running sums by name: squares of the sequences' mean |.|, and the tokens' first two moments."""

    def __init__(self) -> None:
        self.squares: dict[tuple[Any, ...], Tensor] = {}
        self.moments: dict[tuple[Any, ...], Tensor] = defaultdict(lambda: torch.zeros((), dtype=torch.float64))

    def add(self, key: tuple[Any, ...], s_BLC: Tensor) -> None:
        mean_BC = s_BLC.double().abs().mean(1)
        self.squares[key] = self.squares.get(key, 0) + mean_BC.square().sum(0)

    def add_moments(self, key: tuple[Any, ...], s_TC: Tensor) -> None:
        s = s_TC.double()
        tokens = torch.full_like(s[0], len(s))
        self.moments[key] = self.moments[key] + torch.stack([tokens, s.sum(0), s.square().sum(0)])

    def variance(self, key: tuple[Any, ...]) -> Tensor:
        tokens, first, second = self.moments[key]
        return second / tokens - (first / tokens).square()


@contextmanager
def _listening(model: HybridLM, sums: _Sums) -> Iterator[None]:
    """Hooks that add what passes by to `sums`, for as long as the block runs."""
    blocks: Any = model.blocks
    norms = [*(block.norm for block in blocks), model.norm]
    handles = [norm.register_forward_hook(_on_norm(place, sums)) for place, norm in enumerate(norms)]
    for place, block in enumerate(blocks):
        hook = {"M": _mamba_hooks, "-": _ffn_hooks, "*": _attention_hooks}[block.kind]
        handles += hook(place, block.mixer, sums)
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _on_norm(place: int, sums: _Sums) -> Callable[..., None]:
    return lambda module, args, out: sums.add(("embedding", place), out)


def _mamba_hooks(place: int, mixer: Any, sums: _Sums) -> list[Any]:
    D, S = mixer.config.d_inner, mixer.config.ssm_groups * mixer.config.ssm_state
    parts = {"z": (0, D), "x": (D, D), "B": (2 * D, S), "C": (2 * D + S, S)}
    shape: list[int] = []

    def on_input(module: Any, args: tuple[Any, ...]) -> None:
        u_BLd = args[0]
        for name, (start, rows) in parts.items():
            sums.add(("mamba", name, place), u_BLd @ mixer.in_proj.weight[start : start + rows].T)
        shape[:] = u_BLd.shape[:2]

    def on_output(module: Any, args: tuple[Any, ...]) -> None:
        y_TD = args[0]
        sums.add(("mamba", "out", place), y_TD.unflatten(0, shape))
        sums.add_moments(("flap", place), y_TD)

    return [mixer.register_forward_pre_hook(on_input), mixer.out_proj.register_forward_pre_hook(on_output)]


def _ffn_hooks(place: int, mixer: Any, sums: _Sums) -> list[Any]:
    def on_up(module: Any, args: tuple[Any, ...], out: Tensor) -> None:
        after = squared_relu(out)
        sums.add(("neurons", "before", place), out)
        sums.add(("neurons", "after", place), after)
        sums.add_moments(("flap", place), after.flatten(0, 1))

    return [mixer.up_proj.register_forward_hook(on_up)]


def _attention_hooks(place: int, mixer: Any, sums: _Sums) -> list[Any]:
    def on_output(module: Any, args: tuple[Any, ...]) -> None:
        heads_BLQD = args[0].unflatten(-1, (-1, mixer.config.head_dim))
        sums.add(("attention", "output", place), heads_BLQD.norm(dim=-1))

    return [mixer.o_proj.register_forward_pre_hook(on_output)]


def _readers(block: Any) -> Tensor:
    """||W_j||^2 of the columns of the matrix that reads the layer's inner activations."""
    weight: Tensor = (block.mixer.out_proj if block.kind == "M" else block.mixer.down_proj).weight
    return weight.double().square().sum(0)


def _collect(model: HybridLM, sums: _Sums) -> Importance:
    c, blocks = model.config, model.blocks
    flap = {key[1]: (sums.variance(key) * _readers(blocks[key[1]])).float() for key in sums.moments}

    def of(axis: str, name: str, kind: str, shape: Callable[[Tensor], Tensor]) -> dict[int, Tensor]:
        places = [i for i, k in enumerate(c.pattern) if k == kind]
        if name == "flap":
            return {i: shape(flap[i]) for i in places}
        return {i: shape(sums.squares[(axis, name, i)].sqrt().float()) for i in places}

    def states(place: int) -> Tensor:
        score_S = (sums.squares[("mamba", "B", place)] * sums.squares[("mamba", "C", place)]).sqrt()
        return score_S.float().view(c.ssm_groups, c.ssm_state)

    embedding = sum(sums.squares[("embedding", i)].sqrt() for i in range(len(model.blocks) + 1))
    return Importance(
        torch.as_tensor(embedding).float(),
        {name: of("neurons", name, "-", lambda t: t) for name in NEURON_SCORES},
        {name: of("mamba", name, "M", lambda t: t.view(c.ssm_heads, c.ssm_head_dim)) for name in MAMBA_SCORES},
        of("attention", "output", "*", lambda t: t),
        {i: states(i) for i, k in enumerate(c.pattern) if k == "M"},
    )
