"""Our calls to Transformer Engine against the pinned release's sources, and what a stand-in of it receives.

The contract is read from syntax trees: every class, argument and field that `engines` uses must exist, and the
defaults that our recipes state must be Transformer Engine's. Its reference for scales is run beside ours. The
stand-in needs no wheel: it has the same names, records what it is given and computes in plain torch.
"""

import ast
import sys
import types
from dataclasses import asdict, dataclass, field
from typing import ClassVar

import pytest
import torch
from torch import nn

from nemo_lab.errors import LabError
from nemo_lab.modeling import kernels, mamba2
from nemo_lab.precision import RECIPES, Cast, engines, to_fp8
from nemo_lab.precision.formats import E4M3, E5M2, scale_from_amax
from nemo_lab.training.identity import identity_of
from tests.precision import sources
from tests.precision.sources import arguments, definition, fields


def te(member: str) -> ast.Module:
    return sources.module("transformer-engine", member)


RECIPE, QUANTIZATION, LINEAR = "common/recipe/__init__.py", "pytorch/quantization.py", "pytorch/module/linear.py"


# --- the published sources


def test_every_recipe_and_field_that_we_use_exists() -> None:
    calls = sources.calls(engines.__file__, "te")
    recipes = {"DelayedScaling", "Float8CurrentScaling", "Float8BlockScaling", "QParams"}
    assert recipes == set(calls) - {"autocast"}
    for name in recipes:
        assert calls[name] <= set(fields(definition(te(RECIPE), name))), name
    assert {"HYBRID", "E4M3"} <= set(fields(definition(te(RECIPE), "Format")))
    block = fields(definition(te(RECIPE), "Float8BlockScaling"))  # set after it is made
    assert {"fp8_quant_fwd_inp", "fp8_quant_fwd_weight", "fp8_quant_bwd_grad"} <= set(block)


def test_autocast_and_the_linear_layer_take_our_arguments() -> None:
    autocast = arguments(definition(definition(te(QUANTIZATION), "autocast"), "__init__"))
    assert sources.calls(engines.__file__, "te")["autocast"] == {"enabled", "recipe"} <= set(autocast)
    linear = arguments(definition(definition(te(LINEAR), "Linear"), "__init__"))
    assert linear[:2] == ["in_features", "out_features"]
    assert {"bias", "params_dtype", "device"} <= set(linear)
    imports = [node for node in te("pytorch/__init__.py").body if isinstance(node, ast.ImportFrom)]
    assert {"Linear", "autocast"} <= {alias.name for node in imports for alias in node.names}


def test_defaults_are_those_of_our_recipes() -> None:
    current = fields(definition(te(RECIPE), "Float8CurrentScaling"))
    assert current["fp8_format"] == "Format.HYBRID"
    assert "'0'" in current["use_power_2_scales"]  # off unless the environment turns it on
    block = fields(definition(te(RECIPE), "Float8BlockScaling"))
    assert block["fp8_format"] == "Format.E4M3"
    assert [block[f"{name}_block_scaling_dim"] for name in ("x", "w", "grad")] == ["1", "2", "1"]
    assert block["fp8_quant_fwd_inp"] == "QParams(power_2_scale=not use_f32_scales, amax_epsilon=0.0)"
    assert "'0'" in block["use_f32_scales"]
    delayed = fields(definition(te(RECIPE), "DelayedScaling"))
    assert (delayed["margin"], delayed["amax_compute_algo"]) == ("0", "'max'")
    assert int(delayed["amax_history_len"]) == RECIPES["delayed"].history
    maxima = fields(definition(te(RECIPE), "Format"))
    assert f"max_fwd={E4M3.max:.0f}" in maxima["E4M3"]
    assert f"max_bwd={E5M2.max:.0f}" in maxima["E5M2"]


@pytest.mark.parametrize("fmt", [E4M3, E5M2], ids=lambda f: f.name)
@pytest.mark.parametrize("power_of_two", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_scales_are_those_of_the_published_reference(fmt, power_of_two, dtype) -> None:
    function = definition(te("pytorch/custom_recipes/reference_current_scaling.py"), "_scale_from_amax_tensor")
    names = {"torch": torch, "Tuple": tuple}
    exec(compile(ast.Module([function], []), "reference", "exec"), names)  # the archive's content was checked
    random = torch.Generator().manual_seed(0)
    amax = 10 ** torch.empty(5000).uniform_(-44, 38, generator=random)
    amax[:3] = torch.tensor([0.0, torch.inf, 448.0])
    scale, inverse, _ = names["_scale_from_amax_tensor"](dtype, amax, fmt.dtype, eps=0.0, pow_2_scales=power_of_two)
    ours = scale_from_amax(amax, fmt, power_of_two=power_of_two, largest=torch.finfo(dtype).max)
    assert torch.equal(ours, scale)
    assert torch.equal(ours.reciprocal(), inverse)


def test_flash_attention_takes_the_arguments_of_our_kernels() -> None:
    tree = sources.module("flash-attn", "flash_attn_interface.py")
    calls = sources.calls(kernels.__file__, "flash")
    assert set(calls) == {"flash_attn_func", "flash_attn_varlen_func"}
    for name, keywords in calls.items():
        names = arguments(definition(tree, name))
        assert names[:3] == ["q", "k", "v"]
        assert keywords <= set(names)


def test_causal_conv1d_is_the_module_that_the_doctor_looks_for() -> None:
    """Our convolution has a backward pass of its own; the package serves mamba-ssm's modules."""
    names = arguments(definition(sources.module("causal-conv1d", "causal_conv1d_interface.py"), "causal_conv1d_fn"))
    assert names[:3] == ["x", "weight", "bias"]
    assert sources.calls(mamba2.__file__, "causal_conv1d") == {}


# --- a stand-in


@dataclass
class _Made:
    """What a recipe class of the stand-in was given."""

    name: str
    given: dict = field(default_factory=dict)


class _Autocast:
    active: ClassVar[list] = []

    def __init__(self, enabled=True, calibrating=False, recipe=None, amax_reduction_group=None):
        self.recipe = recipe

    def __enter__(self):
        self.active.append(self.recipe)

    def __exit__(self, *error):
        self.active.pop()


class _Linear(nn.Linear):
    seen: ClassVar[list] = []

    def __init__(self, in_features, out_features, bias=True, params_dtype=None, device="cuda"):
        super().__init__(in_features, out_features, bias, device, params_dtype)

    def forward(self, inp):
        self.seen.append(_Autocast.active[-1].name)
        return super().forward(inp)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    def recorder(name):
        return lambda **given: _Made(name, given)

    names = ("DelayedScaling", "Float8CurrentScaling", "Float8BlockScaling", "QParams")
    recipe = types.ModuleType("transformer_engine.common.recipe")
    vars(recipe).update({name: recorder(name) for name in names})
    recipe.Format = types.SimpleNamespace(HYBRID="HYBRID", E4M3="E4M3")
    pytorch = types.ModuleType("transformer_engine.pytorch")
    pytorch.Linear, pytorch.autocast = _Linear, _Autocast
    parents = [types.ModuleType(name) for name in ("transformer_engine", "transformer_engine.common")]
    for module in (*parents, recipe, pytorch):
        monkeypatch.setitem(sys.modules, module.__name__, module)


@pytest.mark.usefixtures("stand_in")
def test_recipes_become_transformer_engines() -> None:
    h = engines.te_recipe(RECIPES["nemotron_h"])
    assert (h.name, h.given) == ("Float8CurrentScaling", {"use_power_2_scales": False, "fp8_format": "HYBRID"})
    nano = engines.te_recipe(RECIPES["nano_v2"])
    assert nano.name == "Float8BlockScaling"
    assert nano.given == {
        "fp8_format": "E4M3",
        "x_block_scaling_dim": 1,
        "w_block_scaling_dim": 2,
        "grad_block_scaling_dim": 1,
    }
    for params in (nano.fp8_quant_fwd_inp, nano.fp8_quant_fwd_weight, nano.fp8_quant_bwd_grad):
        assert params.given == {"power_2_scale": True, "amax_epsilon": 0.0}
    delayed = engines.te_recipe(RECIPES["delayed"])
    assert delayed.name == "DelayedScaling"
    assert delayed.given == {"fp8_format": "HYBRID", "amax_history_len": 1024, "amax_compute_algo": "max"}


@pytest.mark.usefixtures("stand_in")
def test_recipes_without_a_counterpart_are_refused() -> None:
    mixed = RECIPES["nano_v2"].with_(gradient=Cast("e5m2"))
    for recipe in (RECIPES["plain"], mixed):
        with pytest.raises(LabError, match="has no recipe for"):
            engines.te_recipe(recipe)
    with pytest.raises(LabError, match=r"\['e4m3', 'e5m2'\] in the forward pass"):
        engines.te_recipe(RECIPES["nemotron_h"].with_(weight=Cast("e5m2")))


@pytest.mark.usefixtures("stand_in")
def test_layer_runs_under_its_recipe_with_our_weights() -> None:
    model = nn.Sequential(*(nn.Linear(16, 16, bias=index == 1) for index in range(3)))
    expected = model(torch.ones(2, 16))
    swapped = to_fp8(model, RECIPES["nano_v2"].with_(first_bf16=1, last_bf16=1), backend="transformer-engine")
    assert swapped == (("1",), ("0", "2"))
    _Linear.seen.clear()
    assert torch.equal(model(torch.ones(2, 16)), expected)
    assert torch.equal(model[1].channel_first(torch.ones(2, 16)), model[1](torch.ones(2, 16)).t())
    assert _Linear.seen == ["Float8BlockScaling"] * 3
    assert not _Autocast.active
    recipe = asdict(RECIPES["nano_v2"].with_(first_bf16=1, last_bf16=1))
    assert identity_of(model)["parts"] == {"1": {"engine": "Transformer Engine", "fp8": recipe}}
    with pytest.raises(LabError, match="A layer is 20 wide; FP8 kernels need a multiple of 16"):
        engines.te_linear(nn.Linear(20, 16), RECIPES["nano_v2"])


def test_absence_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformer_engine", None)
    with pytest.raises(LabError, match=r"cannot be imported \(.*\); pip install .*gpu"):
        engines.te_recipe(RECIPES["nemotron_h"])
