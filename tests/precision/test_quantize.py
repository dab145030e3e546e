"""Codes, scales and transposes, bit for bit, against the reference of this folder and against simple truths."""

import math

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nemo_lab.errors import LabError
from nemo_lab.precision import RECIPES, Cast, quantize
from tests.precision import reference

DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def bits(tensor: torch.Tensor) -> list:
    """The bit patterns, so that NaN equals NaN and -0 is not 0."""
    kind = torch.uint8 if tensor.element_size() == 1 else torch.int32
    return [list(tensor.shape), tensor.flatten().clone().view(kind).tolist()]


def one_nan(tensor: torch.Tensor) -> torch.Tensor:
    """The codes as uint8 with every NaN as 127."""
    return torch.where(tensor.float().isnan(), 127, tensor.view(torch.uint8))


@st.composite
def matrices(draw: st.DrawFn) -> torch.Tensor:
    """Ragged shapes around the tile's length, magnitudes from 1e-30 to 1e30, with zeros, outliers, infinities."""
    sizes = st.one_of(st.integers(1, 5), st.sampled_from([127, 128, 129, 130]))
    shape = draw(st.tuples(sizes, sizes).filter(lambda s: s[0] * s[1] <= 1200))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = random.standard_normal(shape) * 10.0 ** draw(st.integers(-30, 30))
    if draw(st.booleans()):
        x *= 10.0 ** random.integers(-6, 1, shape)  # many scales within a tile
    x[random.random(shape) < draw(st.sampled_from([0, 0.5, 1]))] = 0
    with np.errstate(over="ignore"):
        x = x.astype(np.float32)
    if draw(st.integers(0, 4)) == 0:
        x[random.integers(shape[0]), random.integers(shape[1])] = draw(st.sampled_from([math.inf, -math.inf]))
    return torch.from_numpy(x)


@given(
    x=matrices(),
    dtype=st.sampled_from(DTYPES),
    fmt=st.sampled_from(["e4m3", "e5m2"]),
    tile=st.sampled_from([None, (1, 128), (128, 128)]),
    power_of_two=st.booleans(),
)
@example(torch.zeros(3, 130), torch.float32, "e4m3", (1, 128), True)
@example(torch.full((2, 2), 1e-44), torch.float32, "e5m2", (128, 128), True)
@example(torch.full((2, 2), 1e-38), torch.bfloat16, "e5m2", (1, 128), False)
@settings(max_examples=400, deadline=None)
def test_equals_the_reference_bit_for_bit(x, dtype, fmt, tile, power_of_two) -> None:
    x = x.to(dtype)
    q = quantize(x, fmt, tile=tile, power_of_two=power_of_two)
    wide = x.float().numpy()
    for matrix, data, scale, inverse in (
        (wide, q.data, q.scale, q.scale_inv),
        (wide.T, q.data_t, q.scale_t, q.scale_inv_t),
    ):
        shape = tile or matrix.shape
        expected, expected_inverse = reference.quantized(matrix, fmt, shape, power_of_two, torch.finfo(dtype).max)
        assert one_nan(data).tolist() == np.where((expected & 127) == 127, 127, expected).tolist()
        found = inverse if tile else inverse.view(1, 1)
        assert bits(found) == bits(torch.from_numpy(expected_inverse))
        assert bits(inverse) == bits(scale.reciprocal())


@given(x=matrices(), fmt=st.sampled_from(["e4m3", "e5m2"]), tile=st.sampled_from([None, (1, 128), (128, 128)]))
@settings(max_examples=60, deadline=None)
def test_power_of_two_scales_leave_what_is_representable(x, fmt, tile) -> None:
    """What came out of FP8 with scales that are powers of two goes in and out again unchanged."""
    x = x.nan_to_num(posinf=0, neginf=0)
    once = quantize(x, fmt, tile=tile, power_of_two=True).dequantize()
    assert torch.equal(quantize(once, fmt, tile=tile, power_of_two=True).dequantize(), once)


@pytest.mark.parametrize("tile", [None, (1, 128), (128, 128)])
def test_error_is_at_most_half_a_step(tile) -> None:
    """Relative 2^-4 of E4M3's normal numbers, else half its smallest step in the tile's own unit."""
    x = torch.randn(260, 200, generator=torch.Generator().manual_seed(0)) * 1e-5
    q = quantize(x, "e4m3", tile=tile)
    unit = q.scale_inv.max() * 2.0**-10
    assert ((q.dequantize() - x).abs() <= (x.abs() * 2.0**-4 * 1.001).clamp(min=float(unit))).all()
    if tile != (1, 128):
        assert torch.equal(q.dequantize_t(), q.dequantize().t())


def test_tiles_across_the_sum_are_quantised_anew() -> None:
    """A row's outlier must not cost the other columns their precision in the transposed copy, and vice versa."""
    x = torch.ones(256, 256) * torch.linspace(0.9, 1.1, 256)
    x[3, 7] = 1e6
    q = quantize(x, "e4m3", tile=(1, 128))
    assert q.scale.shape == q.scale_t.shape == (256, 2)
    row, column = (q.dequantize() - x).abs(), (q.dequantize_t().t() - x).abs()
    spoilt, spoilt_t = (row > 0.1).nonzero(), (column > 0.1).nonzero()
    assert set(spoilt[:, 0].tolist()) == {3}
    assert set(spoilt_t[:, 1].tolist()) == {7}


def test_values_beyond_a_given_scale_are_clamped() -> None:
    for fmt, top in (("e4m3", 448.0), ("e5m2", 57344.0)):
        q = quantize(torch.tensor([[1e9, -1e9, math.inf, -math.inf, 1.0]]), fmt, scale=1.0)
        assert q.data.float().tolist() == [[top, -top, top, -top, 1.0]]
    assert quantize(torch.tensor([[2.0]]), RECIPES["plain"]).scale.item() == 1.0


def test_shapes_and_recipes() -> None:
    x = torch.randn(2, 3, 5)
    q = quantize(x, "nano_v2", role="weight")
    assert (q.data.shape, q.data_t.shape, q.scale_inv.shape) == (x.shape, (5, 6), (1, 1))
    assert q.cast == RECIPES["nano_v2"].weight
    assert quantize(x, Cast("e5m2"), transpose=False).data_t is None
    assert quantize(x, torch.float8_e5m2).data.dtype == torch.float8_e5m2
    assert quantize(torch.tensor(3.0)).dequantize().item() == 3.0
    for tile in (None, (1, 128), (128, 128)):
        assert quantize(torch.empty(0, 7), tile=tile).data_t.shape == (7, 0)


def test_what_cannot_be_quantised_is_refused() -> None:
    with pytest.raises(LabError, match="x has dtype float64; quantize takes float32, bfloat16, float16"):
        quantize(torch.ones(2, 2).double())
    with pytest.raises(LabError, match="no transposed copy"):
        quantize(torch.ones(2, 2), transpose=False).dequantize_t()


@pytest.mark.parametrize("tile", [None, (1, 128), (128, 128)])
@pytest.mark.parametrize("shape", [(), (0,), (5, 0), (0, 5), (2, 0, 3)])
def test_scalars_and_empty_tensors(shape, tile) -> None:
    x = torch.full(shape, 3.0)
    q = quantize(x, tile=tile)
    assert q.data.shape == x.shape
    torch.testing.assert_close(q.dequantize(), x)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda x: quantize(x.numpy()), "x is a ndarray; quantize takes a tensor"),
        (lambda x: quantize([1.0]), "x is a list; quantize takes a tensor"),
        (lambda x: quantize(x, "delayed"), "give scale="),
        (lambda x: quantize(x, "nano_v2", scale=2.0), "a whole tensor, but the tile is"),
        (lambda x: quantize(x, scale=0.0), "scale is 0.0; it must be one positive number"),
        (lambda x: quantize(x, scale=math.nan), "scale is nan"),
        (lambda x: quantize(x, scale="2"), "scale is '2'"),
        (lambda x: quantize(x, scale=torch.tensor([1.0, 2.0])), "one positive number"),
        (lambda x: quantize(x, role="nonsense"), "role 'nonsense'"),
    ],
)
def test_what_cannot_be_quantised_is_said(call, sentence: str) -> None:
    with pytest.raises(LabError, match=sentence):
        call(torch.ones(4, 4))
