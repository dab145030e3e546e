"""One hybrid language model for every notebook: Mamba-2, attention and feed-forward layers.

    model = HybridLM(tiny_hybrid(128))
    generate(model, [prompt_ids], 40)
    save_hf(model, "my_model", tokenizer)   # and back: from_hf("my_model")

Its costs are counted (`costs`) and measured (`measure`) beside it, its fast kernels in `kernels`. Importing the
package makes products of bf16 matrices fast on processors that have no instructions for them (`bf16_products`).
"""

from nemo_lab.lazy import attach
from nemo_lab.modeling.bf16_products import replace_slow_products
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.model import HybridLM

_HOMES = {
    "from_hf": "huggingface",
    "generate": "generation",
    "parameter_count": "costs",
    "preset": "presets",
    "sample": "generation",
    "save_hf": "huggingface",
    "tiny_hybrid": "presets",
    "to_hf": "huggingface",
}
__all__ = ["HybridConfig", "HybridLM", *_HOMES]
__getattr__, __dir__ = attach(__name__, _HOMES)

replace_slow_products()
