"""Figures of group-aware SSM pruning (arXiv 2504.11409) and Minitron (arXiv 2407.14679), to stand beside ours.

Numbers of figures are read off the vector graphics. Losses are nats a token of the 8B hybrid on the paper's
own validation data. One inconsistency is the paper's: a quarter of the heads pruned costs 1.760 in Figure 7 and
2.150 in Table 3.
"""

from __future__ import annotations

from collections.abc import Mapping

# Figure 7: one axis pruned, nothing else, no distillation.
FIGURE_7_PERCENT = (0, 6.25, 12.5, 18.75, 25, 31.25, 37.5, 43.75, 50)
FIGURE_7_LOSS: Mapping[str, tuple[float, ...]] = {
    "heads": (1.167, 1.219, 1.302, 1.406, 1.760, 2.535, 5.564, 8.571, 9.003),
    "channels": (1.167, 1.301, 4.571, 6.233, 7.446, 7.581, 8.901, 10.255, 10.409),
}

# Table 1: layers, embedding, FFN, heads, channels of 4B children; loss after 3.8B tokens of distillation;
# throughput relative to the first. A selection: the chosen one, each axis, and depth alone.
TABLE_1 = (
    ("heads, FFN, embedding (chosen)", (52, 3072, 12288, 112, 64), 1.380, 1.00),
    ("FFN, embedding", (52, 3072, 10752, 128, 64), 1.380, 0.98),
    ("heads and channels", (52, 3072, 12288, 120, 56), 1.388, 1.01),
    ("depth, FFN, embedding", (44, 3072, 14592, 128, 64), 1.393, 1.11),
    ("channels", (52, 3072, 13824, 128, 48), 1.396, 1.03),
    ("half the heads", (52, 3072, 16128, 64, 64), 1.411, 1.07),
    ("depth alone", (26, 4096, 21504, 128, 64), 1.533, 1.31),
)

# Table 2: loss without distillation by where heads and channels are scored, for FFN / heads / channels.
TABLE_2: Mapping[str, tuple[float, float, float]] = {
    "12288 / 112 / 64": (3.56, 4.11, 3.79),
    "13056 / 112 / 56": (3.59, 6.61, 5.30),
    "13056 / 96 / 64": (4.49, 5.39, 4.49),
    "14592 / 96 / 56": (4.68, 7.09, 10.01),
    "12288 / 128 / 56": (5.98, 5.43, 4.99),
    "13824 / 128 / 48": (5.99, 6.01, 9.47),
}
TABLE_2_PLACES = ("x", "z", "out")

# Minitron, Table 15: validation loss after distillation by the loss that is minimised.
MINITRON_LOSSES: Mapping[str, float] = {
    "ce+mse": 2.144,
    "ce+reverse kl": 2.140,
    "ce+cosine": 2.134,
    "ce+kl": 2.117,
    "kl": 2.107,
}


def excess(losses: tuple[float, ...]) -> tuple[float, ...]:
    """Each loss minus the first: what pruning costs."""
    return tuple(round(loss - losses[0], 3) for loss in losses)
