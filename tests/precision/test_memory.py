"""Bytes against models that are built, and against arithmetic by hand for the published sizes."""

import pytest
import torch
from torch import nn

from nemo_lab.modeling import HybridConfig, HybridLM, costs, presets
from nemo_lab.precision import RECIPES, Fp8Linear, Quantized, quantize, to_fp8
from nemo_lab.precision.memory import fp8_share, gemm_shapes, ratios, training_bytes
from nemo_lab.precision.swap import gemms

CONFIG = HybridConfig(pattern="M-*-M-*-", d_model=96, d_ff=160, n_heads=4, n_kv_heads=2, head_dim=16)
NO_ENDS = {"first_bf16": 0, "last_bf16": 0}


def built(config: HybridConfig) -> HybridLM:
    with torch.device("meta"):
        return HybridLM(config)


@pytest.mark.parametrize("config", [CONFIG, presets.preset("nemotron-h-8b"), presets.preset("nemotron-t-8b")])
def test_shapes_are_those_of_the_model(config: HybridConfig) -> None:
    model = built(config)
    real = []
    for names in gemms(model):
        layers: list[nn.Linear] = [model.get_submodule(name) for name in names]
        real.append((sum(layer.out_features for layer in layers), layers[0].in_features))
    assert [(gemm.outputs, gemm.inputs) for gemm in gemm_shapes(config)] == real


def nbytes(q: Quantized) -> int:
    """Bytes of all codes and of the scales that are kept."""
    kept = (q.data, q.scale_inv, q.data_t, q.scale_inv_t)
    return sum(t.numel() * t.element_size() for t in kept if t is not None)


@pytest.mark.parametrize("name", ["nemotron_h", "nano_v2"])
def test_bytes_are_those_of_the_quantised_tensors(name: str) -> None:
    """Query, key and value are three layers in our model and one product in the count: their scales differ."""
    config, recipe = CONFIG.with_(pattern="M-M-M-"), RECIPES[name].with_(first_bf16=2, last_bf16=3)
    model = HybridLM(config)
    to_fp8(model, recipe)
    total = model.parameter_count()
    swapped = [module for module in model.modules() if isinstance(module, Fp8Linear)]
    quantised = [quantize(layer.weight.detach(), recipe, role="weight", transpose=False) for layer in swapped]
    others = total - sum(layer.weight.numel() for layer in swapped)
    found = training_bytes(config, total, recipe)
    assert found.gathered == 2 * others + sum(nbytes(q) for q in quantised)
    both = [quantize(layer.weight.detach(), recipe, role="weight") for layer in swapped]
    assert found.weights == 2 * others + sum(nbytes(q) for q in both)
    assert training_bytes(config, total, recipe, transposed=False).weights == found.gathered
    assert fp8_share(config, recipe, total) == (total - others) / total
    inner = sum(layer.in_features for layer in swapped)
    outer = sum(layer.in_features for layer in model.modules() if type(layer).__name__ == "Linear") - 96  # the head
    assert found.kept == 2 * outer + inner * (1 + 4 / 128 if name == "nano_v2" else 1)


def test_without_a_recipe_everything_is_bf16() -> None:
    total = costs.parameter_count(CONFIG)
    plain = training_bytes(CONFIG, total)
    assert plain.gathered == plain.weights == 2 * total
    assert plain.kept == 2 * sum(gemm.inputs for gemm in gemm_shapes(CONFIG))


def test_the_published_56b() -> None:
    """118 layers, 236 products, of which 228 in FP8; their inputs are one byte instead of two."""
    config = presets.preset("nemotron-h-56b")
    total = costs.parameter_count(config)
    assert len(gemm_shapes(config)) == 236
    share = fp8_share(config, RECIPES["nemotron_h"], total)
    assert 0.92 < share < 0.95
    found = ratios(training_bytes(config, total, RECIPES["nemotron_h"]), training_bytes(config, total))
    assert found["gathered"] == pytest.approx(1 - share / 2, abs=1e-6)
    assert found["weights"] == pytest.approx(1, abs=1e-6)
    blocks = ratios(training_bytes(config, total, RECIPES["nano_v2"]), training_bytes(config, total))
    assert blocks["gathered"] - found["gathered"] == pytest.approx(share * 4 / 128**2 / 2, rel=0.01)


def test_no_ends_and_nothing_but_ends() -> None:
    total = costs.parameter_count(CONFIG)
    everything = training_bytes(CONFIG, total, RECIPES["nemotron_h"].with_(**NO_ENDS))
    assert everything.kept == sum(gemm.inputs for gemm in gemm_shapes(CONFIG))
    assert fp8_share(CONFIG, RECIPES["nemotron_h"].with_(first_bf16=16), total) == 0
