"""The choice of engines, and our calls to engines that need a GPU.

mamba-ssm runs for real in Triton's interpreter. flash-attn cannot run here: a stand-in with its published
signature computes what it documents, so that layouts, document boundaries and argument names are tested.
"""

import ast
import importlib.util
import json
import subprocess
import sys
import types
from itertools import pairwise
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridLM, kernels
from nemo_lab.modeling.causal import self_attention
from nemo_lab.modeling.ssd import ssd_channel_first
from tests.modeling.random_model import TINY

WORKER = Path(__file__).with_name("kernels_worker.py")
DOCUMENTS = torch.tensor([[0, 0, 0, 1, 1, 4, 4, 4, 4], [4, 4, 4, 4, 4, 4, 4, 4, 5]])
NEEDS_MAMBA = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("triton", "mamba_ssm")),
    reason="mamba-ssm or triton is not installed (`make test` installs them on Linux x86-64)",
)


def scan_inputs() -> list[Tensor]:
    x, B, C = (torch.randn(2, heads, 5, 9) for heads in (4, 2, 2))
    return [x, F.softplus(torch.randn(2, 4, 9)), -torch.rand(4), B, C, torch.randn(4)]


def attention_inputs() -> list[Tensor]:
    return [torch.randn(2, heads, 9, 8) for heads in (4, 2, 2)]


@pytest.mark.parametrize("backend", ["auto", "torch"])
def test_a_cpu_gets_ours(backend: str) -> None:
    t = scan_inputs()
    for ours, expected in zip(
        kernels.ssd(*t, 4, DOCUMENTS, backend=backend), ssd_channel_first(*t, 4, DOCUMENTS), strict=True
    ):
        assert torch.equal(ours, expected)
    qkv = attention_inputs()
    assert torch.equal(kernels.attention(*qkv, DOCUMENTS, backend), self_attention(*qkv, DOCUMENTS))


def test_unknown_backend_lists_the_known() -> None:
    with pytest.raises(LabError, match="no backend 'cuda'; choose auto, torch, numba or mamba-ssm"):
        kernels.ssd(*scan_inputs(), 4, backend="cuda")
    with pytest.raises(LabError, match="no backend 'mamba-ssm'; choose auto, torch, numba or flash-attn"):
        kernels.attention(*attention_inputs(), backend="mamba-ssm")


def test_a_kernel_without_a_gpu_is_refused() -> None:
    with pytest.raises(LabError, match="'mamba-ssm' cannot run here: it needs a CUDA device"):
        kernels.ssd(*scan_inputs(), 4, backend="mamba-ssm")
    with pytest.raises(LabError, match="'flash-attn' cannot run here: it needs a CUDA device"):
        kernels.attention(*attention_inputs(), backend="flash-attn")


class OnGpu:
    """What `_choose` looks at of a tensor on a GPU."""

    is_cuda, device = True, "cuda:0"

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype


@pytest.fixture
def flash(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A stand-in for flash-attn, importable under its name."""
    module = types.ModuleType("flash_attn")
    module.flash_attn_func, module.flash_attn_varlen_func = flash_attn_func, flash_attn_varlen_func
    monkeypatch.setitem(sys.modules, "flash_attn", module)
    kernels._import_error.cache_clear()
    yield module
    kernels._import_error.cache_clear()


def test_auto_takes_the_kernel_where_it_can(flash: types.ModuleType) -> None:
    assert kernels._choose("auto", "flash-attn", OnGpu(torch.bfloat16)) == "flash-attn"
    assert kernels._choose("flash-attn", "flash-attn", OnGpu(torch.float16)) == "flash-attn"
    assert kernels._choose("auto", "flash-attn", OnGpu(torch.float32)) == "torch"
    assert kernels._choose("torch", "flash-attn", OnGpu(torch.bfloat16)) == "torch"
    with pytest.raises(LabError, match="it takes bfloat16 or float16 and got float32; use autocast"):
        kernels._choose("flash-attn", "flash-attn", OnGpu(torch.float32))


def test_a_missing_kernel_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flash_attn", None)
    kernels._import_error.cache_clear()
    assert kernels._choose("auto", "flash-attn", OnGpu(torch.bfloat16)) == "torch"
    with pytest.raises(LabError, match=r"flash_attn fails .*; install it with pip .*gpu") as caught:
        kernels._choose("flash-attn", "flash-attn", OnGpu(torch.bfloat16))
    assert "\n" not in str(caught.value)
    kernels._import_error.cache_clear()


def flash_attn_func(
    q,
    k,
    v,
    dropout_p=0.0,
    softmax_scale=None,
    causal=False,
    window_size=(-1, -1),
    softcap=0.0,
    alibi_slopes=None,
    deterministic=False,
    return_attn_probs=False,
):
    """As documented by flash-attn 2.8.3: (batch, length, heads, dimension), fewer heads in k and v."""
    q, k, v = (t.transpose(1, 2) for t in (q, k, v))
    return F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=True).transpose(1, 2)


def flash_attn_varlen_func(
    q,
    k,
    v,
    cu_seqlens_q,
    cu_seqlens_k,
    max_seqlen_q,
    max_seqlen_k,
    dropout_p=0.0,
    softmax_scale=None,
    causal=False,
    window_size=(-1, -1),
    softcap=0.0,
    alibi_slopes=None,
    deterministic=False,
    return_attn_probs=False,
    block_table=None,
):
    """As documented: (total, heads, dimension), sequences bounded by cu_seqlens, which must be int32."""
    assert cu_seqlens_q.dtype == cu_seqlens_k.dtype == torch.int32
    assert max_seqlen_q == max_seqlen_k == max(cu_seqlens_q.diff().tolist())
    spans = [slice(start, end) for start, end in pairwise(cu_seqlens_q.tolist())]
    return torch.cat([flash_attn_func(*(t[None, at] for t in (q, k, v)), causal=causal)[0] for at in spans])


@pytest.mark.parametrize("document_BL", [None, DOCUMENTS], ids=["one document", "documents"])
def test_flash_attention_call(document_BL: Tensor | None, flash: types.ModuleType) -> None:
    qkv = attention_inputs()
    torch.testing.assert_close(kernels._flash_attn(*qkv, document_BL), self_attention(*qkv, document_BL))


def test_document_starts() -> None:
    starts, longest = kernels.document_starts(DOCUMENTS)
    assert starts.tolist() == [0, 3, 5, 9, 17, 18]
    assert (starts.dtype, longest) == (torch.int32, 8)


def test_every_layer_of_a_model_gets_the_backend() -> None:
    model = HybridLM(TINY)
    assert kernels.use(model, "torch") == 1 + 2 * len(TINY.pattern)  # the model, each block and each mixer
    assert {module.backend for module in model.modules() if hasattr(module, "backend")} == {"torch"}
    assert kernels.use(model.blocks[0], "auto") == 2


def test_a_model_refuses_what_it_cannot_use(monkeypatch: pytest.MonkeyPatch) -> None:
    model = HybridLM(TINY)
    with pytest.raises(LabError, match="mamba-ssm"):
        kernels.use(model, "mamba-ssm")
    with pytest.raises(LabError, match="No layer of this Linear has a backend"):
        kernels.use(torch.nn.Linear(1, 1), "torch")
    monkeypatch.setitem(sys.modules, "numba", None)
    kernels._import_error.cache_clear()
    with pytest.raises(LabError, match=r"numba fails .*; install it with pip .*fused.*or choose backend='torch'"):
        kernels.use(model, "numba")
    kernels._import_error.cache_clear()
    assert model.blocks[0].backend == "auto"


def test_only_a_training_step_in_bf16_is_fused() -> None:
    x = torch.randn(3)
    assert kernels.fused("numba", x.bfloat16())
    assert not any(kernels.fused(backend, x.bfloat16()) for backend in ("auto", "torch"))
    assert not any(kernels.fused("numba", t) for t in (x, x.double(), x.half(), x.to("meta", torch.bfloat16)))
    with torch.autocast("cpu", torch.bfloat16):
        assert kernels.fused("numba", x)
        with torch.no_grad():
            assert not kernels.fused("numba", x)


def test_elsewhere_numba_means_torch() -> None:
    """The same bits without gradients and in float32, also with a cache."""
    model, tokens = HybridLM(TINY), torch.randint(TINY.vocab_size, (2, 19))
    outputs = {}
    for backend in ("torch", "numba"):
        kernels.use(model, backend)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            rough = model(tokens)
        outputs[backend] = (rough, model(tokens), model.loss(tokens, tokens))
    assert all(torch.equal(a, b) for a, b in zip(*outputs.values(), strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_fused_step_is_a_step(dtype: torch.dtype) -> None:
    """Loss and every gradient, under autocast and with weights in bfloat16, packed rows and ignored targets."""
    tokens = torch.randint(TINY.vocab_size, (2, 19))
    targets = tokens.masked_fill(torch.rand(2, 19) < 0.2, -100)
    document_BL = torch.arange(19).expand(2, 19) // 7
    results = {}
    for backend in ("torch", "numba"):
        model = HybridLM(TINY).to(dtype)
        kernels.use(model, backend)
        with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.float32):
            loss = model.loss(tokens, targets, document_BL)
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        results[backend] = torch.cat([t.flatten().float() for t in (loss.detach(), *gradients)])
    plain, fused = results.values()
    assert not torch.equal(plain, fused)
    assert (plain - fused).norm() < 0.02 * plain.norm()


def parameters_of(module: str, path: str, function: str) -> list[str]:
    """Argument names of a function of an installed package, read without importing it."""
    folder = importlib.util.find_spec(module).submodule_search_locations[0]
    tree = ast.parse((Path(folder) / path).read_text(encoding="utf-8"))
    found = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == function)
    return [a.arg for a in found.args.args]


def keywords_in_our_call(function: str) -> set[str]:
    tree = ast.parse(Path(kernels.__file__).read_text(encoding="utf-8"))
    calls = [
        n
        for n in ast.walk(tree)
        if isinstance(n, ast.Call) and function == getattr(n.func, "id", getattr(n.func, "attr", ""))
    ]
    return {keyword.arg for call in calls for keyword in call.keywords}


@NEEDS_MAMBA
def test_argument_names_are_those_of_the_installed_mamba_ssm() -> None:
    names = parameters_of("mamba_ssm", "ops/triton/ssd_combined.py", "mamba_chunk_scan_combined")
    assert names[:5] == ["x", "dt", "A", "B", "C"]  # passed by position
    used = keywords_in_our_call("mamba_chunk_scan_combined")
    assert used == {"chunk_size", "D", "seq_idx", "return_final_states"}
    assert used <= set(names)


@pytest.mark.parametrize("stand_in", [flash_attn_func, flash_attn_varlen_func])
def test_argument_names_are_those_of_flash_attn(stand_in: object) -> None:
    name = stand_in.__name__
    ours = list(stand_in.__code__.co_varnames[: stand_in.__code__.co_argcount])
    used = keywords_in_our_call(name)
    assert used
    assert used <= set(ours)
    if importlib.util.find_spec("flash_attn") is not None:
        assert parameters_of("flash_attn", "flash_attn_interface.py", name) == ours


@NEEDS_MAMBA
def test_mamba_ssm_equals_ours_in_the_interpreter() -> None:
    """Layout, documents, outputs and gradients of the real kernels, through our call."""
    done = subprocess.run([sys.executable, str(WORKER)], capture_output=True, text=True, timeout=1200, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    errors = json.loads(done.stdout.splitlines()[-1])
    assert len(errors) == 8
    assert max(errors.values()) < 1e-5, errors
