"""The whole core of the Mamba-2 layer against the plain form, and a training that takes it."""

import pytest
import torch
from torch import Tensor

from nemo_lab.modeling import HybridConfig, HybridLM, kernels
from nemo_lab.modeling.attention import positions
from nemo_lab.modeling.fused.mixer import ages, ends, mixer_core
from nemo_lab.modeling.mamba2 import Mamba2

NAMES = ("output", "input", "in_proj", "conv_weight", "conv_bias", "dt_bias", "A_log", "D", "norm_weight", "out_proj")
# length, chunk, groups, heads, head size, state size, least dt
SHAPES = [
    (21, 8, 2, 4, 6, 5, 0.0),
    (16, 8, 1, 3, 1, 1, 0.3),  # whole chunks, a clamp that holds some steps
    (3, 8, 4, 4, 5, 3, 0.0),  # shorter than the convolution and the chunk
    (1, 4, 1, 2, 2, 2, 0.0),
    (130, 64, 2, 4, 32, 32, 0.0),
]


def random_layer(shape: tuple, dtype: torch.dtype = torch.float64) -> Mamba2:
    _, chunk, groups, heads, head_dim, state, dt_min = shape
    sizes = {"ssm_heads": heads, "ssm_head_dim": head_dim, "ssm_state": state, "ssm_groups": groups}
    layer = Mamba2(HybridConfig(d_model=12, chunk=chunk, dt_min=dt_min, **sizes))
    layer.init_state_space(torch.Generator().manual_seed(0))
    with torch.no_grad():
        for weight in (layer.in_proj.weight, layer.out_proj.weight):
            weight.normal_(0, 0.2)
        for name in ("conv_weight", "conv_bias", "dt_bias", "A_log", "D", "norm_weight"):
            getattr(layer, name).add_(torch.randn(getattr(layer, name).shape), alpha=0.2)
    return layer.to(dtype)


def random_documents(length: int) -> Tensor:
    """Two rows that begin new documents at about half of the tokens."""
    return torch.randint(0, 2, (2, length)).cumsum(1)


def fused_layer(layer: Mamba2, u_BLd: Tensor, document_BL: Tensor | None) -> Tensor:
    """The layer with its core fused, whatever the dtype."""
    B, L, _ = u_BLd.shape
    projected = layer.in_proj.channel_first(u_BLd.flatten(0, 1))
    return layer.out_proj(layer._fused(projected, document_BL, B).t()).view(B, L, -1)


def plain_layer(layer: Mamba2, u_BLd: Tensor, document_BL: Tensor | None) -> Tensor:
    return layer(u_BLd, document_BL)


def with_gradients(form, layer: Mamba2, u_BLd: Tensor, document_BL: Tensor | None) -> dict[str, Tensor]:
    y = form(layer, u_BLd, document_BL)
    dy = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    gradients = torch.autograd.grad((y * dy.to(y.dtype)).sum(), (u_BLd, *layer.parameters()))
    names = ("input", *(name.removesuffix(".weight") for name, _ in layer.named_parameters()))
    return {"output": y.detach(), **dict(zip(names, gradients, strict=True))}


def differences(form, shape: tuple, dtype: torch.dtype, packed: bool) -> dict[str, float]:
    """Of a form in `dtype` from the plain one in float64, relative to the norm."""
    torch.manual_seed(0)
    layer = random_layer(shape)
    u = torch.randn(2, shape[0], 12, dtype=torch.float64)
    document_BL = random_documents(shape[0]) if packed else None
    exact = with_gradients(plain_layer, layer, u.requires_grad_(), document_BL)
    found = with_gradients(form, layer.to(dtype), u.detach().to(dtype).requires_grad_(), document_BL)
    assert set(found) == set(NAMES)
    scale = 1e-3 * exact["D"].norm()  # a gradient that is 0, of A behind a single token, has no size of its own
    return {name: float((found[name] - exact[name]).norm() / exact[name].norm().clamp(min=scale)) for name in NAMES}


@pytest.mark.parametrize("packed", [False, True], ids=["one document", "documents"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=["32", "64"])
def test_core_equals_the_plain_form(shape: tuple, packed: bool, dtype: torch.dtype, tolerance: float) -> None:
    """Where a gradient's terms cancel, as D's before the norm, the plain form's own error is the measure."""
    fused, plain = (differences(form, shape, dtype, packed) for form in (fused_layer, plain_layer))
    assert all(fused[name] < max(tolerance, 2 * plain[name]) for name in NAMES), (fused, plain)


@pytest.mark.parametrize("packed", [False, True], ids=["one document", "documents"])
def test_gradients_are_differences(packed: bool) -> None:
    layer = random_layer((5, 3, 2, 2, 2, 2, 0.0))
    projected = torch.randn(layer.config.in_proj_width, 10, dtype=torch.float64, requires_grad=True)
    document_BL = random_documents(5) if packed else torch.zeros(2, 5, dtype=torch.long)
    weights = [w for name, w in layer.named_parameters() if "proj" not in name]
    assert torch.autograd.gradcheck(lambda p, *w: mixer_core(p, *w, document_BL, layer.config), (projected, *weights))


@pytest.mark.parametrize("workers", [2, 5])
def test_the_kernels_threads_change_no_bit(workers: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than rows too; the products keep one thread, whose number is torch's affair."""
    layer = random_layer((21, 8, 2, 4, 6, 5, 0.0), torch.float32)
    u, document_BL = torch.randn(2, 21, 12, requires_grad=True), random_documents(21)
    torch.set_num_threads(1)
    alone = with_gradients(fused_layer, layer, u, document_BL)
    monkeypatch.setattr(torch, "get_num_threads", lambda: workers)
    together = with_gradients(fused_layer, layer, u, document_BL)
    assert all(torch.equal(alone[name], together[name]) for name in NAMES)


def bf16_errors(backend: str) -> dict[str, float]:
    """Of all that a bf16 step makes, from the plain form in float64."""
    layer = random_layer((130, 64, 2, 4, 32, 32, 0.0), torch.float32)
    u = torch.randn(2, 130, 12, generator=torch.Generator().manual_seed(2)).requires_grad_()

    def step(layer: Mamba2, u_BLd: Tensor, document_BL: Tensor | None) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return layer(u_BLd, document_BL).float()

    layer.backend = backend
    rough = with_gradients(step, layer, u, None)
    exact = with_gradients(plain_layer, layer.double(), u.detach().double().requires_grad_(), None)
    return {name: float((rough[name] - exact[name]).norm() / exact[name].norm()) for name in NAMES}


def test_bf16_is_no_rougher_than_the_plain_form() -> None:
    """And in the gradients of the decay finer: theirs are sums of differences that cancel."""
    torch.manual_seed(0)
    plain = bf16_errors("torch")
    torch.manual_seed(0)
    fused = bf16_errors("numba")
    assert fused != plain, "the step did not take the fused form"
    assert all(fused[name] < 1.1 * plain[name] for name in NAMES), (fused, plain)
    assert all(fused[name] < 0.5 * plain[name] for name in ("dt_bias", "A_log")), (fused, plain)


def test_ages_and_ends() -> None:
    document_BL = torch.tensor([[0, 0, 0, 1, 1, 4], [4, 4, 4, 4, 4, 4]])
    assert ages(document_BL).tolist() == positions(document_BL, 2, 6, document_BL.device).tolist()
    chunks = document_BL.view(2, 2, 3)
    assert ends(chunks).tolist() == [[[3, 3, 3], [2, 2, 3]], [[3, 3, 3], [3, 3, 3]]]


def losses(backend: str, autocast: bool, steps: int = 100) -> Tensor:
    """Of a small hybrid that learns to count by fives, a new batch of packed rows a step."""
    config = HybridConfig(pattern="M-*M", vocab_size=32, d_model=32, d_ff=64, n_heads=2, n_kv_heads=1, head_dim=16)
    model = HybridLM(config.with_(ssm_heads=4, ssm_head_dim=16, ssm_state=8, chunk=16))
    kernels.use(model, backend)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    g = torch.Generator().manual_seed(0)
    document_BL = torch.arange(40).expand(4, 40) // 25
    curve = []
    for _ in range(steps):
        tokens = (torch.randint(32, (4, 1), generator=g) + 5 * torch.arange(41)) % 32
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = model.loss(tokens[:, :-1], tokens[:, 1:], document_BL)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        curve.append(loss.detach())
    return torch.stack(curve)


def test_a_training_follows_the_plain_ones() -> None:
    """The fused curve is not further from the exact one than the plain bf16 curve is, but for its luck."""
    exact, plain, fused = losses("torch", False), losses("torch", True), losses("numba", True)
    assert exact[-10:].mean() < 0.7 * exact[:10].mean(), "nothing was learned"
    assert not torch.equal(fused, plain), "the training did not take the fused form"
    scatter = (plain - exact).abs()
    assert (fused - exact).abs().mean() < 2 * scatter.mean()
    assert (fused - exact).abs().max() < 2 * scatter.max()
