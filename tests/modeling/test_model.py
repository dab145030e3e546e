"""The whole model: who sees whom, packing, initialisation, sizes."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM

PATTERNS = ["M-M*-M-", "*-*-", "M-M-", "*M", "-"]
SMALL = HybridConfig(
    vocab_size=53,
    d_model=24,
    d_ff=40,
    n_heads=4,
    n_kv_heads=2,
    head_dim=6,
    ssm_heads=4,
    ssm_head_dim=8,
    ssm_state=7,
    ssm_groups=2,
    chunk=8,
    init_std=0.3,
)
DOCUMENTS = torch.tensor([[0] * 11 + [1] * 3 + [2] * 13, [4] * 1 + [5] * 26])


def tokens(seed: int = 0, rows: int = 2, length: int = 27) -> Tensor:
    return torch.randint(SMALL.vocab_size, (rows, length), generator=torch.Generator().manual_seed(seed))


def config(pattern: str) -> HybridConfig:
    """Attention-only patterns are the Transformer control, with rotary positions."""
    return SMALL.with_(pattern=pattern, rope_theta=0.0 if "M" in pattern else 100.0)


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("training", [True, False])
def test_logits_depend_on_the_past_only(pattern: str, training: bool) -> None:
    model, a = HybridLM(config(pattern)), tokens()
    b = a.clone()
    b[:, 13] = (b[:, 13] + 1) % SMALL.vocab_size
    with torch.set_grad_enabled(training):
        before, after = model(a), model(b)
    assert torch.equal(before[:, :13], after[:, :13])
    assert ((before - after)[:, 13].abs().amax(-1) > 1e-4).all()
    if pattern != "-":
        assert ((before - after)[:, 14:].abs().amax((1, 2)) > 1e-5).all()


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("training", [True, False])
def test_no_leak_between_documents(pattern: str, training: bool) -> None:
    """Other tokens in one document leave the logits of all others as they are.

    Equal to 1e-12 in float64 and not bit for bit: the decays of a chunk are differences of one running sum.
    """
    model, a = HybridLM(config(pattern)).double(), tokens()
    b = a.clone()
    b[0, :11] = tokens(1)[0, :11]
    with torch.set_grad_enabled(training):
        before, after = model(a, DOCUMENTS), model(b, DOCUMENTS)
    assert (before - after)[0, 11:].abs().max() < 1e-12
    assert torch.equal(before[1], after[1])
    assert (before - after)[0, :11].abs().max() > 1e-4
    if "M" not in pattern:
        assert torch.equal(before[0, 11:], after[0, 11:])


@pytest.mark.parametrize("pattern", PATTERNS[:4])
def test_no_gradient_between_documents(pattern: str) -> None:
    model, a = HybridLM(config(pattern)).double(), tokens()
    embedded = model.embedding(a).detach().requires_grad_()
    model.embedding.forward = lambda _: embedded  # type: ignore[method-assign]
    model(a, DOCUMENTS)[0, 14:].square().sum().backward()
    assert embedded.grad[0, :14].abs().max() < 1e-12
    assert (embedded.grad[1] == 0).all()
    assert embedded.grad[0, 14:].abs().max() > 1e-3


def test_the_leak_test_notices_a_leak() -> None:
    """The negative control: without document numbers the change is seen."""
    model, a = HybridLM(config("M-M*-M-")), tokens()
    b = a.clone()
    b[0, :11] = tokens(1)[0, :11]
    assert not torch.equal(model(a)[0, 11:], model(b)[0, 11:])


@pytest.mark.parametrize("pattern", PATTERNS)
def test_packed_equals_separate(pattern: str) -> None:
    model, a = HybridLM(config(pattern)).double(), tokens()
    packed = model(a, DOCUMENTS)
    for row in range(2):
        for d in DOCUMENTS[row].unique():
            at = DOCUMENTS[row] == d
            torch.testing.assert_close(packed[row, at], model(a[row : row + 1, at])[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_packed_loss_has_the_gradients_of_the_separate_losses(pattern: str) -> None:
    model, a = HybridLM(config(pattern)).double(), tokens(rows=1)
    document_BL, targets = DOCUMENTS[:1], tokens(2, rows=1)
    model.loss(a, targets, document_BL, reduction="none").sum().backward()
    packed = {n: p.grad for n, p in model.named_parameters()}
    model.zero_grad()
    for d in document_BL.unique():
        at = document_BL[0] == d
        model.loss(a[:, at], targets[:, at], reduction="none").sum().backward()
    for name, parameter in model.named_parameters():
        torch.testing.assert_close(packed[name], parameter.grad, rtol=1e-8, atol=1e-9, msg=name)


@pytest.mark.parametrize("length", [1, 2, 7, 8, 9, 64])
def test_any_length_runs_and_trains(length: int) -> None:
    model, a = HybridLM(config("M*-")), tokens(length=length)
    assert model(a).shape == (2, length, 53)
    model.loss(a, a).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_initial_weights_are_the_published_ones() -> None:
    model = HybridLM(HybridConfig(pattern="M-M*-M-", d_model=256, d_ff=512))
    depth = 7**0.5
    for name, weight in model.named_parameters():
        if name.endswith(("out_proj.weight", "o_proj.weight", "down_proj.weight")):
            assert weight.std().item() == pytest.approx(0.02 / depth, rel=0.05), name
        elif name.endswith(("proj.weight", "embedding.weight", "head.weight")):
            assert weight.std().item() == pytest.approx(0.02, rel=0.05), name
        elif name.endswith(("norm.weight", "norm_weight")):
            assert (weight == 1).all(), name
    # It knows nothing yet: log 4096, and half the variance of a logit, a sum of 256 products with weights of 0.02.
    expected = math.log(4096) + 256 * 0.02**2 / 2
    a, b = (torch.randint(4096, (8, 128), generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    assert model.loss(a, b).item() == pytest.approx(expected, abs=0.04)  # 4 standard errors of 1,024 predictions


def test_seed_decides_the_weights_and_nothing_else_does() -> None:
    torch.manual_seed(1)
    first = HybridLM(SMALL, seed=5)
    torch.manual_seed(2)
    second = HybridLM(SMALL, seed=5)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    other = HybridLM(SMALL, seed=6)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_parameter_count_is_the_sum_of_the_tensors() -> None:
    model = HybridLM(SMALL)
    assert model.parameter_count() == sum(t.numel() for t in model.state_dict().values())
    assert not [name for name, _ in model.named_buffers()]


def test_embedding_and_head_are_separate() -> None:
    model = HybridLM(SMALL)
    assert model.embedding.weight.data_ptr() != model.head.weight.data_ptr()
    assert not torch.equal(model.embedding.weight, model.head.weight)


def test_bf16_autocast_gives_float32_logits_close_to_exact() -> None:
    model, a = HybridLM(HybridConfig()), torch.randint(4096, (2, 100))
    exact = model(a)
    with torch.autocast("cpu", torch.bfloat16):
        rough = model(a)
        model.loss(a, a, DOCUMENTS[:, :1].expand(2, 100)).backward()
    assert rough.dtype == torch.float32
    assert (rough - exact).norm() < 0.03 * exact.norm()
    assert all(p.grad.dtype == torch.float32 and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"config": None}, "config is None, expected a HybridConfig"),
        ({"config": {"d_model": 32}}, "expected a HybridConfig"),
        ({"seed": None}, "seed is None; it must be a whole number of at least 0"),
        ({"seed": 0.5}, "seed is 0.5"),
    ],
)
def test_what_makes_no_model_is_one_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(LabError, match=words):
        HybridLM(**{"config": HybridConfig(vocab_size=16)} | change)
