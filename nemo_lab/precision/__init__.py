"""FP8: quantisers, recipes, a linear layer whose products take FP8 factors, and what that saves.

In one breath:

    q = quantize(x, "e4m3", tile=(1, 128), power_of_two=True)   # codes, scales and their transposes
    swapped = to_fp8(HybridLM(config), recipe("nemotron_h"))    # then train as ever

Quantisers and recipes stand alone; nothing here knows the model's code. Each file's docstring says what it decides
and why; notebook 06 measures it.
"""

from nemo_lab.precision.formats import E4M3, E5M2, Format
from nemo_lab.precision.linear import Fp8Linear
from nemo_lab.precision.nvfp4 import Nvfp4, quantize_nvfp4
from nemo_lab.precision.quantize import Quantized, quantize
from nemo_lab.precision.recipes import RECIPES, Cast, Fp8Recipe, recipe
from nemo_lab.precision.swap import Swapped, plain_state, to_fp8

__all__ = [
    "E4M3",
    "E5M2",
    "RECIPES",
    "Cast",
    "Format",
    "Fp8Linear",
    "Fp8Recipe",
    "Nvfp4",
    "Quantized",
    "Swapped",
    "plain_state",
    "quantize",
    "quantize_nvfp4",
    "recipe",
    "to_fp8",
]
