"""The Mamba-2 mixer and its parts against plain reference code written here, forward and backward."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nemo_lab.modeling import HybridConfig
from nemo_lab.modeling.mamba2 import Mamba2, _GatedNorm, causal_conv_silu, gated_rms_norm
from nemo_lab.modeling.ssd import ssd_recurrent

CONFIG = HybridConfig(d_model=12, ssm_heads=4, ssm_head_dim=6, ssm_state=5, ssm_groups=2, chunk=8)
DOCUMENTS = torch.tensor([[0] * 5 + [1] * 1 + [2] * 7 + [5] * 8, [3] * 20 + [4]])  # one of a single token


def randn(*shapes: tuple[int, ...]) -> list[Tensor]:
    return [torch.randn(*shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


def reference_conv(x_CBL: Tensor, weight_CK: Tensor, bias_C: Tensor, document_BL: Tensor | None) -> Tensor:
    """`F.conv1d` on every document alone."""
    rows = []
    for b in range(x_CBL.shape[1]):
        numbers = document_BL[b] if document_BL is not None else torch.zeros(x_CBL.shape[2], dtype=torch.long)
        parts = [x_CBL[:, b, numbers == d] for d in numbers.unique()]
        padded = [F.pad(part, (weight_CK.shape[1] - 1, 0)) for part in parts]
        rows.append(torch.cat([F.conv1d(p, weight_CK[:, None], bias_C, groups=len(p)) for p in padded], -1))
    return F.silu(torch.stack(rows, 1))


def reference_mixer(layer: Mamba2, u_BLd: Tensor, document_BL: Tensor | None) -> Tensor:
    """The six steps of the sheet's section 1.5, token-major, one document after another."""
    c = layer.config
    z, xBC, dt = F.linear(u_BLd, layer.in_proj.weight).split([c.d_inner, c.conv_channels, c.ssm_heads], -1)
    xBC = reference_conv(xBC.movedim(-1, 0), layer.conv_weight, layer.conv_bias, document_BL).movedim(0, -1)
    x, Bm, Cm = xBC.split([c.d_inner, c.ssm_groups * c.ssm_state, c.ssm_groups * c.ssm_state], -1)
    dt = F.softplus(dt + layer.dt_bias).clamp(min=c.dt_min)
    y = torch.zeros_like(x)
    for b in range(len(u_BLd)):
        numbers = document_BL[b] if document_BL is not None else torch.zeros(u_BLd.shape[1], dtype=torch.long)
        for at in (numbers == d for d in numbers.unique()):
            out, _ = ssd_recurrent(
                x[b : b + 1, at].unflatten(-1, (c.ssm_heads, -1)),
                dt[b : b + 1, at],
                -layer.A_log.exp(),
                Bm[b : b + 1, at].unflatten(-1, (c.ssm_groups, -1)),
                Cm[b : b + 1, at].unflatten(-1, (c.ssm_groups, -1)),
                layer.D,
            )
            y[b, at] = out.flatten(-2)[0]
    gated = (y * F.silu(z)).unflatten(-1, (c.ssm_groups, -1))
    normed = gated / (gated.square().mean(-1, keepdim=True) + c.norm_eps).sqrt()
    return F.linear(normed.flatten(-2) * layer.norm_weight, layer.out_proj.weight)


def random_layer(config: HybridConfig = CONFIG) -> Mamba2:
    layer = Mamba2(config).double()
    generator = torch.Generator().manual_seed(0)
    layer.init_state_space(generator)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64), alpha=0.2)
    return layer


@pytest.mark.parametrize("document_BL", [None, DOCUMENTS], ids=["one document", "documents"])
@pytest.mark.parametrize("width", [1, 2, 4])
def test_convolution_is_conv1d_of_every_document(width: int, document_BL: Tensor | None) -> None:
    x, w, b = randn((7, 2, 21), (7, width), (7,))
    ours = causal_conv_silu(x, w, b, document_BL)
    theirs = reference_conv(x, w, b, document_BL)
    torch.testing.assert_close(ours, theirs)
    weight = torch.randn_like(ours)
    gradients = [torch.autograd.grad((y * weight).sum(), (x, w, b)) for y in (ours, theirs)]
    torch.testing.assert_close(*gradients)


def test_convolution_is_deaf_to_other_documents() -> None:
    """Not even a NaN or a rounding error of the neighbour gets through."""
    x, w, b = randn((7, 1, 21), (7, 4), (7,))
    document_BL = DOCUMENTS[:1]
    spoiled = x.detach().masked_fill(document_BL == 0, torch.nan)
    after = causal_conv_silu(spoiled, w, b, document_BL)[..., 5:]
    assert torch.equal(after, causal_conv_silu(x, w, b, document_BL)[..., 5:])


@pytest.mark.parametrize("length", [1, 2, 3, 9])
def test_convolution_of_short_rows(length: int) -> None:
    """Rows shorter than the convolution, also with documents."""
    document_BL = torch.arange(length)[None] // 2
    x, w, b = randn((3, 1, length), (3, 4), (3,))
    torch.testing.assert_close(causal_conv_silu(x, w, b, document_BL), reference_conv(x, w, b, document_BL))
    assert torch.autograd.gradcheck(lambda *t: causal_conv_silu(*t, document_BL), (x, w, b))


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_gated_norm(groups: int) -> None:
    y, z, w = randn((8, 5), (8, 5), (8,))

    def ours(y: Tensor, z: Tensor, w: Tensor) -> Tensor:
        return _GatedNorm.apply(y, z, w, groups, 1e-5)  # type: ignore[no-any-return]

    u = (y * F.silu(z)).unflatten(0, (groups, -1))
    expected = (u / (u.square().mean(1, keepdim=True) + 1e-5).sqrt()).flatten(0, 1) * w[:, None]
    torch.testing.assert_close(ours(y, z, w), expected)
    plain = gated_rms_norm(*(t.float().t() for t in (y, z)), w.float(), groups, 1e-5)
    torch.testing.assert_close(plain.t().double(), expected, rtol=1e-5, atol=1e-5)
    assert torch.autograd.gradcheck(ours, (y, z, w))


def test_gate_comes_before_the_norm() -> None:
    """A gate scaled by a constant changes nothing after the norm; with the norm first it would."""
    y, z, w = torch.randn(8, 5), torch.randn(8, 5).abs() + 30, torch.ones(8)  # SiLU(z) = z for large z
    torch.testing.assert_close(_GatedNorm.apply(y, z, w, 2, 0.0), _GatedNorm.apply(y, 2 * z, w, 2, 0.0))


@pytest.mark.parametrize("document_BL", [None, DOCUMENTS], ids=["one document", "documents"])
@pytest.mark.parametrize("dt_min", [0.0, 0.3])
def test_whole_mixer_equals_the_reference(document_BL: Tensor | None, dt_min: float) -> None:
    layer = random_layer(CONFIG.with_(dt_min=dt_min))
    u = torch.randn(2, 21, 12, dtype=torch.float64, requires_grad=True)
    outputs = [layer(u, document_BL), reference_mixer(layer, u, document_BL)]
    torch.testing.assert_close(*outputs)
    weight = torch.randn_like(outputs[0])
    inputs = (u, *layer.parameters())
    for ours, theirs in zip(*(torch.autograd.grad((y * weight).sum(), inputs) for y in outputs), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_initial_state_space_is_the_published_one() -> None:
    config = CONFIG.with_(ssm_heads=2000, ssm_groups=1, ssm_head_dim=1, d_model=4)
    layer = Mamba2(config)
    layer.init_state_space(torch.Generator().manual_seed(0))
    dt, rate = F.softplus(layer.dt_bias), layer.A_log.exp()
    assert dt.min() >= 0.999e-3
    assert dt.max() <= 1.001e-1
    assert dt.log().mean().item() == pytest.approx(-4.605, abs=0.1)  # the middle of log 0.001 and log 0.1
    assert (rate.min() >= 1, rate.max() <= 16, abs(rate.mean() - 8.5) < 0.4) == (True, True, True)
    assert (layer.D == 1).all()
    assert layer.conv_weight.abs().max() <= 0.5


def test_bf16_autocast_stays_close() -> None:
    layer = random_layer(CONFIG.with_(d_model=32)).float()
    u = torch.randn(2, 60, 32)
    exact = layer(u)
    with torch.autocast("cpu", torch.bfloat16):
        rough = layer(u)
    assert (rough - exact).norm() < 0.03 * exact.norm()
