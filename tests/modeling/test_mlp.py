"""The feed-forward layer against its one-line definition."""

import torch

from nemo_lab.modeling import HybridConfig
from nemo_lab.modeling.linear import Linear
from nemo_lab.modeling.mlp import MLP, squared_relu


def test_squared_relu_and_its_gradient() -> None:
    x = torch.randn(3, 17, dtype=torch.float64, requires_grad=True)
    assert torch.equal(squared_relu(x), torch.relu(x) ** 2)
    assert torch.autograd.gradcheck(squared_relu, x)


def test_layer_is_two_matrices_without_gate_or_bias() -> None:
    layer = MLP(HybridConfig(d_model=12, d_ff=20))
    u = torch.randn(2, 5, 12)
    expected = torch.relu(u @ layer.up_proj.weight.T) ** 2 @ layer.down_proj.weight.T
    torch.testing.assert_close(layer(u), expected)
    assert sum(p.numel() for p in layer.parameters()) == 2 * 12 * 20


def test_channel_first_is_the_transposed_product() -> None:
    linear = Linear(6, 9, bias=False)
    x = torch.randn(4, 6)
    torch.testing.assert_close(linear.channel_first(x), linear(x).T)
