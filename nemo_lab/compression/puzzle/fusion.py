"""FFN fusion: feed-forward parts in a row become one, which a device computes at once.

Where the search removed attention, feed-forward parts follow each other: X ← X + FFN(η(X)), η the norm. FFN fusion
(arXiv 2503.18908, section 3) lets them all read the same input, normalised by the *last* norm of the run,

    X ← X + Σ_j FFN_j( η_last(X) ),

and a sum of SwiGLUs on one input is exactly one SwiGLU whose gate and up matrices are stacked and whose down matrices
stand side by side (Theorem 3.1). So fusing is exact; going from one after the other to side by side is what is
approximated. Where that hurts little is read off the dependency matrix

    M_ij = mean over tokens of 1 - cos( h_j, h_j with block i left out ),   h_j = f_j(X_j) - X_j,

which is small where block j does not need what block i says.

Shapes: N rows, L length, D width of the stream, J blocks.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from nemo_lab.compression.puzzle.model import LINEAR, PuzzleLayer
from nemo_lab.compression.puzzle.parts import start_of
from nemo_lab.errors import LabError
from nemo_lab.progress import progress as progress_bar


def fuse(child: Any, first: int, last: int) -> Any:
    """Return a model in which the feed-forward parts of layers `first` to `last` are one, in layer `first`.

    Raises:
        LabError: fewer than two layers, attention behind the first, a linear part, or a layer without its part.
    """
    blocks = [list(block) for block in child.config.blocks]
    _check(blocks, first, last)
    fused = copy.deepcopy(child)
    layers = fused.model.layers
    width = sum(block[1] for block in blocks[first : last + 1])
    place = getattr(layers[first].self_attn, "layer_idx", 0)
    made = PuzzleLayer(child.config, blocks[first][0], width, place).to(child.dtype)
    parts = [layers[number].mlp for number in range(first, last + 1)]
    with torch.no_grad():
        for name, dim in (("gate_proj", 0), ("up_proj", 0), ("down_proj", 1)):
            getattr(made.mlp, name).weight.copy_(torch.cat([getattr(part, name).weight for part in parts], dim))
        made.post_attention_layernorm.load_state_dict(layers[last].post_attention_layernorm.state_dict())
        if made.self_attn is not None:
            made.self_attn.load_state_dict(layers[first].self_attn.state_dict())
            made.input_layernorm.load_state_dict(layers[first].input_layernorm.state_dict())
    layers[first] = made
    blocks[first][1] = width
    for number in range(first + 1, last + 1):
        layers[number] = PuzzleLayer(child.config, 0, 0, 0)
        blocks[number] = [0, 0]
    fused.config.blocks = blocks
    return fused.eval()


def _check(blocks: list[list[Any]], first: int, last: int) -> None:
    if not 0 <= first < last < len(blocks):
        raise LabError(f"Layers {first} to {last} are no run of at least two of {len(blocks)}.")
    for number, (heads, width) in enumerate(blocks[first : last + 1], first):
        if heads != 0 and number > first:
            raise LabError(f"Layer {number} has attention; only feed-forward parts in a row can be fused.")
        if width in (0, LINEAR):
            raise LabError(f"Layer {number} has no SwiGLU but {width!r}; nothing to fuse there.")


def side_by_side(child: Any, first: int, last: int, stream_NLD: Tensor) -> Tensor:
    """Return what layers `first` to `last` add when each reads the same input: the sum that `fuse` puts in one part."""
    normed_NLD = child.model.layers[last].post_attention_layernorm(stream_NLD)
    return torch.stack([child.model.layers[number].mlp(normed_NLD) for number in range(first, last + 1)]).sum(0)


@torch.no_grad()
def dependency_matrix(model: Any, tokens_NL: Tensor, *, progress: bool = True) -> Tensor:
    """Return M, (J, J): row the layer left out, column the layer asked; zeros on and below the diagonal."""
    stream_NLD, context = start_of(model, tokens_NL)
    layers = list(model.model.layers)
    streams, says = [], []
    for layer in layers:
        streams.append(stream_NLD)
        after_NLD = layer(stream_NLD, **context)
        says.append((after_NLD - stream_NLD).float())
        stream_NLD = after_NLD
    matrix_JJ = torch.zeros(len(layers), len(layers))
    numbers = range(len(layers))
    for left_out in progress_bar(numbers, desc="dependencies", unit="layer") if progress else numbers:
        stream_NLD = streams[left_out]
        for asked in range(left_out + 1, len(layers)):
            after_NLD = layers[asked](stream_NLD, **context)
            answer_NLD = (after_NLD - stream_NLD).float()
            matrix_JJ[left_out, asked] = 1 - F.cosine_similarity(says[asked], answer_NLD, dim=-1).mean()
            stream_NLD = after_NLD
    return matrix_JJ
