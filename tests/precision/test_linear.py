"""`Fp8Linear` against a float64 model of the same rounding: forward, dgrad and wgrad, every recipe, both methods."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from nemo_lab.errors import LabError
from nemo_lab.precision import E4M3, RECIPES, Cast, Fp8Linear, Fp8Recipe, Quantized, quantize
from nemo_lab.precision.linear import DelayedScale, factor_of

FP32_TILES = RECIPES["nano_v2"].with_(
    name="nano_v2 with FP32 scales",
    weight=Cast(tile=(128, 128)),
    activation=Cast(tile=(1, 128)),
    gradient=Cast(tile=(1, 128)),
)
ROW_WEIGHTS = FP32_TILES.with_(name="1x128 weights", weight=Cast(tile=(1, 128), power_of_two=True))
E5M2_TILES = RECIPES["nano_v2"].with_(name="E5M2 tiles", gradient=Cast("e5m2", (1, 128), power_of_two=True))
CURRENT = [RECIPES["nemotron_h"], RECIPES["nano_v2"], RECIPES["plain"], FP32_TILES, ROW_WEIGHTS, E5M2_TILES]
each_recipe = pytest.mark.parametrize("recipe", CURRENT, ids=lambda r: r.name)


def exact(q: Quantized) -> Tensor:
    """The numbers that the codes stand for, float64."""
    return q.data.double() * q.scale_inv.double() if q.cast.tile is None else q.dequantize().double()


def exact_t(q: Quantized) -> Tensor:
    """The same of the transposed copy."""
    return exact(q).t() if q.cast.tile is None else q.dequantize_t().double()


def model(x: Tensor, w: Tensor, dy: Tensor, recipe: Fp8Recipe) -> tuple[Tensor, Tensor, Tensor]:
    """Y, dX and dW in float64, from quantised factors."""
    qx, qw, qg = (quantize(t, recipe, role=role) for t, role in ((x, "activation"), (w, "weight"), (dy, "gradient")))
    return exact(qx) @ exact(qw).t(), exact(qg) @ exact_t(qw).t(), exact_t(qg) @ exact_t(qx).t()


def layer(recipe: Fp8Recipe, weight: Tensor) -> Fp8Linear:
    plain = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    with torch.no_grad():
        plain.weight.copy_(weight)
    return Fp8Linear.of(plain, recipe)


def tensors(T: int, inputs: int, outputs: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """x, W and dY of the sizes that training has: gradients far below one."""
    generator = torch.Generator().manual_seed(seed)
    x, w, dy = (torch.randn(s, generator=generator) for s in ((T, inputs), (outputs, inputs), (T, outputs)))
    return x * torch.rand(T, 1, generator=generator).exp(), w * 0.05, dy * 1e-4


def close(found: Tensor, expected: Tensor, relative: float) -> None:
    """Within `relative` of the result's size, measured by its largest entry: sums of terms cancel."""
    assert (found.double() - expected).abs().max() <= relative * expected.abs().max().clamp(min=1e-30)


@each_recipe
@pytest.mark.parametrize("channel_first", [False, True])
@pytest.mark.parametrize(("dtype", "relative"), [(torch.float32, 2e-6), (torch.bfloat16, 2.0**-8)])
def test_three_products_are_those_of_the_float64_model(recipe, channel_first, dtype, relative) -> None:
    x, w, dy = tensors(130, 140, 36)
    x, dy = x.to(dtype), dy.to(dtype)
    leaf = x.clone().requires_grad_()
    ours = layer(recipe, w)
    with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
        y = ours.channel_first(leaf).t() if channel_first else ours(leaf)
    y.backward(dy)
    for found, expected in zip((y, leaf.grad, ours.weight.grad), model(x, w, dy, recipe), strict=True):
        close(found, expected, relative)
    assert (y.dtype, leaf.grad.dtype, ours.weight.grad.dtype) == (dtype, dtype, torch.float32)


@given(
    T=st.sampled_from([1, 3, 127, 129]),
    inputs=st.sampled_from([1, 5, 128, 131]),
    outputs=st.sampled_from([1, 7, 129]),
    recipe=st.sampled_from(CURRENT),
    seed=st.integers(0, 1000),
    gain=st.sampled_from([1e-20, 1e-3, 1.0, 1e3]),
)
@settings(max_examples=60, deadline=None)
def test_ragged_shapes_and_magnitudes(T, inputs, outputs, recipe, seed, gain) -> None:
    x, w, dy = tensors(T, inputs, outputs, seed)
    x, dy = (x * gain).requires_grad_(), dy * gain
    ours = layer(recipe, w)
    ours(x).backward(dy)
    expected = model(x.detach(), w, dy, recipe)
    for found, value in zip((ours(x), x.grad, ours.weight.grad), expected, strict=True):
        close(found, value, 4e-6)


@each_recipe
@pytest.mark.parametrize("along", [0, 1])
def test_fast_rounding_gives_the_codes_of_quantize(recipe: Fp8Recipe, along: int) -> None:
    for role, t in zip(("activation", "weight", "gradient"), tensors(150, 260, 150), strict=True):
        q = quantize(t, recipe, role=role)
        for matrix in (t, t.t().contiguous().t()):  # both memory layouts
            values, factor = factor_of(matrix, recipe.cast(role), along, torch.bfloat16)
            if q.cast.tile is None:
                assert torch.equal(values.float(), q.data.float())
                assert factor == float(q.scale_inv)
            else:
                copy = q.dequantize() if along == 1 else q.dequantize_t().t()
                assert torch.equal(values.float(), copy)
                assert (values.dtype == torch.bfloat16) == q.cast.power_of_two
                assert factor == 1.0


def test_rounding_matters_and_the_ends_of_the_range_do_not_break_it() -> None:
    x, w, _ = tensors(64, 32, 16)
    error = (layer(RECIPES["nemotron_h"], w)(x) - x @ w.t()).abs().max() / (x @ w.t()).abs().max()
    assert 1e-3 < error < 0.1
    for value in (0.0, 1e-38, 1e38):
        assert layer(RECIPES["nemotron_h"], w)(torch.full((4, 32), value)).isfinite().all()
    assert layer(RECIPES["nemotron_h"], w)(torch.full((4, 32), torch.inf)).isnan().all()  # and training stops


def test_output_is_rounded_once() -> None:
    """The scales multiply the float32 sum: a bf16 result is the nearest to the exact one."""
    x, w, _ = tensors(256, 64, 64)
    with torch.autocast("cpu", torch.bfloat16):
        found = layer(RECIPES["nemotron_h"], w)(x.bfloat16())
    expected, _, _ = model(x.bfloat16(), w, torch.zeros(256, 64), RECIPES["nemotron_h"])
    assert (found == expected.bfloat16()).float().mean() > 0.999


def test_leading_dimensions_bias_and_autocast() -> None:
    plain = nn.Linear(8, 6)
    ours = Fp8Linear.of(plain, RECIPES["nano_v2"])
    x = torch.randn(2, 3, 8)
    assert torch.equal(ours(x).view(6, 6), ours(x.view(6, 8)))
    assert torch.equal(ours(torch.zeros(1, 8))[0], plain.bias)
    assert ours.weight is plain.weight
    assert ours.bias is plain.bias
    with pytest.raises(LabError, match="layers without bias"):
        ours.channel_first(x[0])
    with pytest.raises(LabError, match="float32 or bfloat16, not in float64"):
        ours(x.double())


def test_no_gradient_where_none_is_wanted() -> None:
    x, w, dy = tensors(16, 8, 4)
    frozen = layer(RECIPES["nano_v2"], w).requires_grad_(False)
    leaf = x.clone().requires_grad_()
    frozen(leaf).backward(dy)
    assert leaf.grad is not None
    assert frozen.weight.grad is None
    free = layer(RECIPES["nano_v2"], w)
    free(x).backward(dy)
    assert free.weight.grad is not None


def test_delayed_scales_follow_the_history() -> None:
    """Scale 1 at first, then max of the format over the largest amax of the last `history` steps."""
    recipe = RECIPES["delayed"].with_(history=2)
    ours = layer(recipe, torch.full((2, 2), 0.5))
    expected = [1.0, 448 / 4.0, 448 / 4.0, 448 / 2.0, 448 / 8.0]
    for amax, scale in zip((4.0, 2.0, 1.0, 8.0, 0.0), expected, strict=True):
        assert float(ours.scales["activation"].scale) == scale
        ours(torch.tensor([[amax, -amax / 2]])).sum().backward()
    assert float(ours.scales["gradient"].scale) == 57344.0
    assert float(ours.scales["weight"].scale) == 448 / 0.5


def test_delayed_scales_clamp_what_outgrows_them_and_rest_in_evaluation() -> None:
    ours = layer(RECIPES["delayed"], torch.eye(2))
    ours(torch.ones(1, 2))
    ours(torch.ones(1, 2))
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    ours.eval()
    torch.testing.assert_close(ours(torch.tensor([[64.0, 0.5]])), torch.tensor([[1.0, 0.5]]))  # 448 / 448
    ours.train()
    with torch.no_grad():
        ours(torch.full((1, 2), 9.0))
    assert all(torch.equal(value, before[name]) for name, value in ours.state_dict().items())


def test_delayed_scale_ignores_zero_and_infinity() -> None:
    scale = DelayedScale(E4M3, 1)
    scale.observe(torch.tensor([2.0]))
    for amax in (0.0, torch.inf):
        scale.observe(torch.tensor([amax]))
        assert float(scale.scale) == 224.0


def test_state_dict_is_that_of_a_linear_layer() -> None:
    for recipe in CURRENT:
        assert list(layer(recipe, torch.eye(2)).state_dict()) == ["weight"]
    restored = layer(RECIPES["delayed"], torch.eye(2))
    trained = layer(RECIPES["delayed"], torch.ones(2, 2))
    trained(torch.full((1, 2), 3.0)).sum().backward()
    restored.load_state_dict(trained.state_dict())
    assert torch.equal(restored(torch.ones(1, 2)), trained(torch.ones(1, 2)))


@pytest.mark.parametrize("name", ["nemotron_h", "nano_v2"])
def test_no_rows_give_no_rows_and_a_zero_gradient(name: str) -> None:
    layer = Fp8Linear(16, 8, RECIPES[name])
    y = layer(torch.empty(0, 16))
    assert y.shape == (0, 8)
    y.sum().backward()
    assert not layer.weight.grad.any()
