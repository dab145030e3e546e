"""NVFP4 against a reference that knows only the lists of numbers, and a layer against a float64 model of itself."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.precision.nvfp4 import VALUES, Nvfp4Linear, on_grid, quantize_nvfp4, to_nvfp4

F32 = np.float32
E4M3 = [0.0, *(m / 8 * 2.0**-6 for m in range(1, 8)), *((1 + m / 8) * 2.0**e for e in range(-6, 9) for m in range(8))]
E4M3 = E4M3[:-1]  # 480 is NaN


def nearest(value: float, grid: list[float]) -> int:
    """The place of the nearest number, in float64; of two, the even one."""
    distance = np.abs(np.float64(value) - np.array(grid, dtype=np.float64))
    best = np.flatnonzero(distance == distance.min())
    return int(next(i for i in best if i % 2 == 0)) if len(best) > 1 else int(best[0])


def reference(x: np.ndarray, square: bool) -> tuple[np.ndarray, np.ndarray, np.float64]:
    """Codes, block scales and tensor scale, block by block; the scales' own arithmetic is float32, by the rule."""
    rows, columns = x.shape
    r = 16 if square else 1
    with np.errstate(divide="ignore", over="ignore"):
        whole = min(F32(2688.0) / F32(np.abs(x).max()), np.finfo(F32).max)
    codes = np.zeros(x.shape, dtype=np.uint8)
    scales = np.zeros((-(-rows // r), -(-columns // 16)))
    for i, j in np.ndindex(scales.shape):
        place = (slice(i * r, (i + 1) * r), slice(j * 16, (j + 1) * 16))
        block = x[place]
        target = min(F32(np.abs(block).max()) * (F32(whole) * (F32(1) / F32(6))), F32(448))
        scales[i, j] = E4M3[nearest(target, E4M3)]
        with np.errstate(divide="ignore", over="ignore"):
            factor = min(F32(1) / (F32(scales[i, j]) * (F32(1) / F32(whole))), np.finfo(F32).max)
            scaled = np.clip(block * factor, F32(-6), F32(6))
        found = [nearest(abs(v), list(VALUES)) + 8 * (v < 0) for v in scaled.flatten()]
        codes[place] = np.array(found).reshape(block.shape)
    return codes, scales, np.float64(whole)


@given(
    st.integers(1, 34),
    st.integers(1, 50),
    st.integers(0, 10_000),
    st.integers(-30, 30),
    st.integers(0, 6),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_codes_and_scales_are_those_of_the_reference(rows, columns, seed, exponent, spread, square) -> None:
    draw = np.random.default_rng(seed)
    x = (draw.normal(size=(rows, columns)) * 2.0 ** (spread * draw.normal(size=(rows, columns)))).astype(F32)
    x[draw.random(x.shape) < 0.1] = 0
    x = (x * 10.0**exponent).astype(F32)
    q = quantize_nvfp4(torch.from_numpy(x), square=square)
    codes, scales, whole = reference(x, square)
    assert np.array_equal(q.codes.numpy(), codes)
    assert np.array_equal(q.scales.float().numpy().astype(np.float64), scales)
    assert float(q.tensor_scale) == whole
    assert torch.equal(on_grid(torch.from_numpy(x), square=square), q.dequantize())


def test_ties_go_to_the_even_code() -> None:
    """A block whose scales are powers of two, so that ties are met exactly."""
    x = torch.tensor([[0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5.0, -0.25, -0.75, -5.0, 6.0, -6.0, 0.0, 0.2, 0.3, 1.0]])
    q = quantize_nvfp4(x * 448)
    assert float(q.tensor_scale) == 1
    assert q.scales.float().tolist() == [[448.0]]
    expected = torch.tensor([[0, 1, 1, 2, 2, 4, 4, -0.0, -1, -4, 6, -6, 0, 0, 0.5, 1]])
    assert torch.equal(q.dequantize(), expected * 448)


def test_zeros_infinities_and_nan() -> None:
    assert torch.equal(quantize_nvfp4(torch.zeros(3, 5)).dequantize(), torch.zeros(3, 5))
    infinite = quantize_nvfp4(torch.tensor([[1.0, float("inf")]]))
    assert infinite.codes.tolist() == [[0, 7]]
    assert infinite.scales.float().item() == 448
    assert quantize_nvfp4(torch.tensor([[1.0, float("nan")]])).dequantize().isnan().all()


def test_a_square_block_is_its_own_transpose_and_a_row_of_sixteen_is_not() -> None:
    x = torch.randn(48, 64, generator=torch.Generator().manual_seed(0))
    for square in (True, False):
        there = quantize_nvfp4(x, square=square).dequantize()
        back = quantize_nvfp4(x.t().contiguous(), square=square).dequantize().t()
        assert torch.equal(there, back) == square


def test_all_three_products_of_the_layer() -> None:
    generator = torch.Generator().manual_seed(0)
    x, dy = (torch.randn(33, n, generator=generator).requires_grad_(n == 40) for n in (40, 24))
    layer = to_layer(40, 24)
    y = layer(x)
    y.backward(dy)

    def q(t: torch.Tensor, square: bool = False) -> torch.Tensor:
        return quantize_nvfp4(t.detach().contiguous(), square=square).dequantize().double()

    w = q(layer.weight, square=True)
    torch.testing.assert_close(y.double(), q(x) @ w.t(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(x.grad.double(), q(dy) @ w, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(layer.weight.grad.double(), q(dy.t()) @ q(x.t()).t(), rtol=1e-5, atol=1e-5)


def to_layer(inputs: int, outputs: int) -> Nvfp4Linear:
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        *(torch.nn.Linear(n, m, bias=False) for n, m in [(8, 8)] * 4 + [(inputs, outputs)] + [(8, 8)] * 4)
    )
    assert to_nvfp4(model).fp8 == ("4",)
    layer = model[4]
    assert isinstance(layer, Nvfp4Linear)
    return layer


def test_a_model_keeps_its_ends_and_its_loss_changes_a_little() -> None:
    config = HybridConfig(
        pattern="M-*-M-",
        vocab_size=64,
        d_model=32,
        d_ff=48,
        n_heads=2,
        head_dim=16,
        ssm_heads=4,
        ssm_head_dim=16,
        ssm_state=8,
    )
    tokens = torch.randint(64, (2, 24), generator=torch.Generator().manual_seed(0))
    plain, ours = HybridLM(config), HybridLM(config)
    assert [len(names) for names in to_nvfp4(ours)] == [6, 8]
    with torch.no_grad():
        before, after = (float(model.loss(tokens[:, :-1], tokens[:, 1:])) for model in (plain, ours))
    assert 0 < abs(after - before) < 0.05 * before
    assert ours.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.parametrize(
    ("x", "words"),
    [([1.0], "x is list"), (torch.ones(2, dtype=torch.int64), "int64"), (torch.ones(0, 4), r"shape \(0, 4\)")],
)
def test_mistakes_are_named(x, words) -> None:
    with pytest.raises(LabError, match=words):
        quantize_nvfp4(x)
