"""The scan in its three forms, which must agree, and its hand-written gradient.

The recurrence is the definition; the quadratic form shares nothing with it but the equation. Both are
differentiated by autograd, so they are also the oracle of the chunked form's backward pass.
"""

import random
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nemo_lab.errors import LabError
from nemo_lab.modeling.ssd import ssd_chunked, ssd_quadratic, ssd_recurrent, ssd_step

Inputs = dict[str, Tensor]


def inputs(
    seed: int,
    B: int = 2,
    L: int = 37,
    H: int = 6,
    P: int = 5,
    G: int = 2,
    N: int = 4,
    dtype: torch.dtype = torch.float64,
) -> Inputs:
    """Random x, dt, A, B, C, D in the ranges of a trained layer."""
    generator = torch.Generator().manual_seed(seed)

    def randn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    made = {
        "x_BLHP": randn(B, L, H, P),
        "dt_BLH": F.softplus(randn(B, L, H)),
        "A_H": -randn(H).exp(),
        "B_BLGN": randn(B, L, G, N),
        "C_BLGN": randn(B, L, G, N),
        "D_H": randn(H),
    }
    return {name: t.to(dtype) for name, t in made.items()}


def documents(seed: int, B: int, L: int) -> Tensor:
    """Non-decreasing document numbers with a few changes a row; numbers may be skipped."""
    generator = torch.Generator().manual_seed(seed)
    changes = (torch.rand(B, L, generator=generator) < 0.15).long()
    return (changes * torch.randint(1, 3, (B, L), generator=generator)).cumsum(1)


def separately(t: Inputs, document_BL: Tensor) -> Tensor:
    """The recurrence of every document on its own: the definition of no leak."""
    rows = []
    for b, document_L in enumerate(document_BL):
        parts = []
        for d in document_L.unique():
            at = document_L == d
            cut = {n: v if v.dim() == 1 else v[b : b + 1, at] for n, v in t.items()}
            parts.append(ssd_recurrent(**cut)[0])
        rows.append(torch.cat(parts, dim=1))
    return torch.cat(rows)


def random_shape(seed: int) -> dict[str, int]:
    r = random.Random(seed)
    G = r.choice([1, 2, 3])
    return {
        "B": r.choice([1, 2, 3]),
        "L": r.randint(1, 70),
        "H": G * r.choice([1, 2, 4]),
        "P": r.choice([1, 3, 8]),
        "G": G,
        "N": r.choice([1, 4, 7]),
    }


def part(t: Inputs, start: int, stop: int) -> Inputs:
    """The tokens from start to stop."""
    return {n: v if v.dim() == 1 else v[:, start:stop] for n, v in t.items()}


@pytest.mark.parametrize("seed", range(12))
def test_three_forms_agree(seed: int) -> None:
    shape, chunk = random_shape(seed), random.Random(seed).choice([1, 4, 16, 64])
    t = inputs(seed, **shape)
    recurrent, state = ssd_recurrent(**t)
    torch.testing.assert_close(ssd_quadratic(**t), recurrent, rtol=1e-10, atol=1e-10)
    chunked, last = ssd_chunked(**t, chunk=chunk, return_state=True)
    torch.testing.assert_close(chunked, recurrent, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(last, state, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("seed", range(8))
def test_documents_do_not_leak(seed: int) -> None:
    shape, chunk = random_shape(seed + 50), random.Random(seed).choice([4, 16, 64])
    t = inputs(seed, **shape)
    document_BL = documents(seed, shape["B"], shape["L"])
    alone = separately(t, document_BL)
    quadratic = ssd_quadratic(**t, document_BL=document_BL)
    torch.testing.assert_close(quadratic, alone, rtol=1e-10, atol=1e-10)
    chunked = ssd_chunked(**t, chunk=chunk, document_BL=document_BL)
    torch.testing.assert_close(chunked, alone, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("chunk", [4, 16, 64])
def test_state_carries_over(chunk: int) -> None:
    """Two halves, the second from the first's state, are the whole."""
    t = inputs(3, L=41)
    whole, last = ssd_chunked(**t, chunk=chunk, return_state=True)
    first, state = ssd_chunked(**part(t, 0, 19), chunk=chunk, return_state=True)
    second, end = ssd_chunked(**part(t, 19, 41), chunk=chunk, initial_state_BHPN=state, return_state=True)
    torch.testing.assert_close(torch.cat([first, second], 1), whole, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(end, last, rtol=1e-10, atol=1e-10)
    recurrent, end = ssd_recurrent(**part(t, 19, 41), state_BHPN=state)
    torch.testing.assert_close(recurrent, second, rtol=1e-10, atol=1e-10)


def test_initial_state_belongs_to_the_first_document() -> None:
    t = inputs(4, B=1, L=20)
    document_BL = (torch.arange(20) >= 7).long()[None]
    state = torch.randn(1, 6, 5, 4, dtype=torch.float64)
    y, _ = ssd_chunked(**t, chunk=8, document_BL=document_BL, initial_state_BHPN=state, return_state=True)
    torch.testing.assert_close(y[:, :7], ssd_recurrent(**part(t, 0, 7), state_BHPN=state)[0])
    torch.testing.assert_close(y[:, 7:], separately(t, document_BL)[:, 7:])


def test_one_step_is_one_row_of_the_recurrence() -> None:
    t = inputs(5, L=3)
    y, _ = ssd_recurrent(**t)
    _, state = ssd_recurrent(**part(t, 0, 2))
    last, _ = ssd_step(*(v if v.dim() == 1 else v[:, 2] for v in t.values()), state)
    torch.testing.assert_close(last, y[:, 2])


@pytest.mark.parametrize(
    ("chunk", "with_documents", "with_state"), [(4, False, False), (4, True, False), (8, True, True)]
)
def test_gradcheck(chunk: int, with_documents: bool, with_state: bool) -> None:
    """Every gradient of the hand-written backward pass, the initial and the last state's too."""
    t = inputs(6, B=1, L=10, H=4, P=2, G=2, N=3)
    state = torch.randn(1, 4, 2, 3, dtype=torch.float64, requires_grad=True) if with_state else None
    document_BL = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 2, 2, 2]]) if with_documents else None
    names = list(t)

    def run(*values: Tensor) -> Any:
        return ssd_chunked(
            **dict(zip(names, values, strict=False)),
            chunk=chunk,
            document_BL=document_BL,
            initial_state_BHPN=values[len(names)] if with_state else None,
            return_state=True,
        )

    values = [v.requires_grad_() for v in t.values()] + ([state] if state is not None else [])
    assert torch.autograd.gradcheck(run, values, fast_mode=False)


@pytest.mark.parametrize("seed", range(4))
def test_gradients_equal_the_quadratic_forms(seed: int) -> None:
    shape = random_shape(seed + 90)
    document_BL = documents(seed, shape["B"], shape["L"])
    weight = torch.randn(shape["B"], shape["L"], shape["H"], shape["P"], dtype=torch.float64)
    gradients = []
    for form in (lambda **t: ssd_chunked(**t, chunk=16), ssd_quadratic):
        t = {n: v.requires_grad_() for n, v in inputs(seed, **shape).items()}
        (form(**t, document_BL=document_BL) * weight).sum().backward()
        gradients.append({n: v.grad for n, v in t.items()})
    torch.testing.assert_close(gradients[0], gradients[1], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_lower_precision_stays_close(dtype: torch.dtype, tolerance: float) -> None:
    exact = inputs(7, L=200, P=16, N=16)
    t = {n: v.to(dtype) if n in ("x_BLHP", "B_BLGN", "C_BLGN") else v.float() for n, v in exact.items()}
    y = ssd_chunked(**t, chunk=64)
    assert y.dtype == dtype
    rounded = ssd_quadratic(**{n: v.double() for n, v in t.items()})
    assert (y.double() - rounded).norm() < tolerance * rounded.norm()


def test_strong_decay_makes_no_nan() -> None:
    """Rates and steps far beyond the trained range: exponents underflow, nothing overflows into a NaN."""
    t = inputs(8, L=130, dtype=torch.float32)
    t["A_H"], t["dt_BLH"] = t["A_H"] * 50, t["dt_BLH"] * 20
    t = {n: v.requires_grad_() for n, v in t.items()}
    y = ssd_chunked(**t, chunk=64)
    y.square().sum().backward()
    torch.testing.assert_close(y, ssd_quadratic(**t), rtol=1e-4, atol=1e-4)
    assert all(v.grad.isfinite().all() for v in t.values())


@pytest.mark.parametrize("chunk", [0, -1, 1.5])
def test_a_chunk_has_a_token(chunk: float) -> None:
    x, B = torch.ones(1, 3, 2, 4), torch.ones(1, 3, 1, 5)
    with pytest.raises(LabError, match=f"chunk is {chunk}; it must be a whole number of at least 1"):
        ssd_chunked(x, torch.ones(1, 3, 2), -torch.ones(2), B, B, chunk=chunk)  # type: ignore[arg-type]
