"""What is wider than its inputs, and the linear map in both memory layouts."""

import pytest
import torch

from nemo_lab.modeling.linear import Linear, wide


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (torch.float16, torch.float32),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_half_precision_is_widened_and_nothing_is_narrowed(given, expected):
    values = torch.tensor([1.0, 2.0**-7], dtype=given)
    assert wide(values).dtype == expected
    assert wide(values).tolist() == values.tolist()


def test_channel_first_is_the_transposed_product():
    layer, x_TI = Linear(5, 3, bias=False), torch.randn(7, 5)
    torch.testing.assert_close(layer.channel_first(x_TI), layer(x_TI).t())
