"""What the papers measured of FP8 training, as data.

Figure 5 of Nemotron-H (arXiv 2504.03624) shows the relative difference of the training losses of two 8B
Transformers on 3T tokens, (BF16 - FP8) / BF16; the numbers were read from the figure's vector paths, as means over
stretches of the run. Here the sign is turned: positive means that FP8's loss is higher. Figure 6 gives accuracies
of a pair on 15T tokens, mean of the last five evaluations.
"""

from __future__ import annotations

from typing import NamedTuple

TOKENS = 3.0  # trillions, of the whole run of Figure 5


class Stretch(NamedTuple):
    """Mean gap over a stretch of the run: from and to in trillions of tokens, FP8 minus BF16 over BF16 in %."""

    start: float
    end: float
    gap: float

    @property
    def middle(self) -> float:
        """Middle of the stretch as a share of the run, in %."""
        return 100 * (self.start + self.end) / 2 / TOKENS


GAPS = (
    Stretch(0.5, 1.0, 0.001),
    Stretch(1.0, 1.5, 0.012),
    Stretch(1.5, 2.0, 0.026),
    Stretch(2.0, 2.25, 0.035),
    Stretch(2.25, 2.75, 0.038),
    Stretch(2.75, 3.0, 0.037),
)
ACCURACIES = {  # benchmark: (BF16, FP8) in %
    "MMLU": (70.0, 69.8),
    "commonsense": (64.0, 64.1),
    "code": (46.8, 52.3),
    "GSM8K": (64.1, 71.8),
}
