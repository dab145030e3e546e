"""Formats against their bit patterns, rounding over every bfloat16, scales against the rule's corners."""

import math
from itertools import pairwise

import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.precision.formats import E4M3, E5M2, FORMATS, Format, format_of, round_to, scale_from_amax
from tests.precision.reference import nearest, positive_codes

each_format = pytest.mark.parametrize("fmt", FORMATS.values(), ids=FORMATS)
LARGEST = torch.finfo(torch.float32).max


def all_bfloat16() -> torch.Tensor:
    bits = torch.arange(-(2**15), 2**15, dtype=torch.int32).to(torch.int16)
    values = bits.view(torch.bfloat16).float()
    return values[values.isfinite()]


@each_format
def test_codes_are_those_of_the_specification(fmt: Format) -> None:
    codes = positive_codes(fmt.name)
    ours = torch.arange(len(codes), dtype=torch.uint8).view(fmt.dtype).double()
    assert ours.tolist() == [float(code) for code in codes]
    assert (fmt.max, fmt.smallest) == (float(codes[-1]), float(codes[1]))


def test_the_papers_ranges() -> None:
    assert (E4M3.max, E4M3.smallest) == (448, 2**-9)
    assert (E5M2.max, E5M2.smallest) == (57344, 2**-16)


@each_format
def test_rounding_of_every_bfloat16_is_the_cast_there_and_back(fmt: Format) -> None:
    values = all_bfloat16()
    values = values[values.abs() <= fmt.max]
    assert len(values) > 30_000
    assert torch.equal(round_to(values.clone(), fmt), values.to(fmt.dtype).float())


@each_format
def test_rounding_of_ties_and_their_neighbours(fmt: Format) -> None:
    """Every midpoint of two codes, and the float32 numbers next to it, against exact arithmetic."""
    codes = [float(code) for code in positive_codes(fmt.name)]
    middle = torch.tensor([(low + high) / 2 for low, high in pairwise(codes)])
    zero, far = torch.zeros(()), torch.tensor(math.inf)
    values = torch.cat([middle, torch.nextafter(middle, zero), torch.nextafter(middle, far)])
    values = torch.cat([values, -values])
    expected = [nearest(value, fmt.name) for value in values.tolist()]
    assert values.to(fmt.dtype).view(torch.uint8).tolist() == expected
    assert torch.equal(round_to(values.clone(), fmt), values.to(fmt.dtype).float())


def test_numbers_that_are_none_stay_none() -> None:
    assert round_to(torch.tensor([math.nan]), E4M3).isnan().all()


@pytest.mark.parametrize("power_of_two", [False, True])
def test_scales_at_the_corners(power_of_two: bool) -> None:
    amax = torch.tensor([0.0, math.inf, math.nan, 1e-44, 448.0, 1.0])
    scale = scale_from_amax(amax, E4M3, power_of_two=power_of_two, largest=LARGEST)
    assert scale[:2].tolist() == [1.0, 0.0]
    assert scale[2].isnan()
    assert scale[3] == (2.0**127 if power_of_two else LARGEST)
    assert scale[4:].tolist() == [1.0, 256.0 if power_of_two else 448.0]


def test_scale_is_a_division_and_not_a_product_with_a_reciprocal() -> None:
    amax = torch.arange(1, 10_000, dtype=torch.float32) / 97
    exact = torch.from_numpy(torch.tensor(448.0).numpy() / amax.numpy())
    assert torch.equal(scale_from_amax(amax, E4M3, power_of_two=False, largest=LARGEST), exact)
    assert not torch.equal(448.0 * amax.reciprocal(), exact)


def test_formats_are_found_by_name_and_dtype() -> None:
    assert format_of("e5m2") is format_of(torch.float8_e5m2) is E5M2
    with pytest.raises(LabError, match=r"Unknown FP8 format 'e3m4'.*valid: e4m3, e5m2"):
        format_of("e3m4")
