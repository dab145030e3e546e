"""Our torch operators against mamba-ssm's real Triton kernels, forward and backward.

No GPU is needed: a subprocess (`triton_worker.py`) runs the kernels in Triton's interpreter. The kernels are
the ones that trained the published models, so this is the strictest oracle a laptop can have. Everything is
float32 and must agree to 1e-5 of the largest value of each tensor; about 1e-6 is what is seen.

The tests are skipped where mamba-ssm or Triton cannot be installed; `make test` installs both.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

WORKER = Path(__file__).with_name("triton_worker.py")
TOLERANCE = 1e-5
MISSING = [name for name in ("triton", "mamba_ssm") if importlib.util.find_spec(name) is None]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (`make test` installs them on Linux x86-64)"
)

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class Scan:
    """One setting of the scan; the letters are those of `nemo_lab.modeling.ssd`."""

    B: int = 1
    L: int = 64
    H: int = 4
    P: int = 16
    G: int = 2
    N: int = 16
    chunk: int = 32
    starts: tuple[int, ...] = ()  # first tokens of the documents after the first
    initial: bool = False


SCANS = {
    "one_group": Scan(H=2, G=1),
    "two_groups_two_rows": Scan(B=2, L=32, chunk=16),
    "length_not_a_multiple": Scan(L=50, chunk=16),
    "documents": Scan(starts=(5, 32, 51)),
    "documents_and_ragged_length": Scan(L=50, chunk=16, starts=(17, 18, 49)),
    "initial_state": Scan(H=2, G=1, initial=True),
    "initial_state_and_documents": Scan(L=96, P=32, N=32, starts=(40,), initial=True),
    "one_head_a_group": Scan(H=2, G=2, L=32),
    "one_chunk": Scan(L=16, chunk=32),
}
NORMS = {"norm_one_group": 1, "norm_four_groups": 4}
MIXERS = {"mixer": (40,), "mixer_with_documents": (11, 2, 27)}  # lengths of the documents of a row
EPS = 1e-5


def random_tensors(seed: int, **shapes: tuple[int, ...]) -> Tensors:
    """Standard normal tensors of these shapes."""
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def scan_inputs(s: Scan) -> Tensors:
    """Arguments in the kernels' names, and the weights of the outputs in the loss."""
    tensors = random_tensors(
        1,
        x=(s.B, s.L, s.H, s.P),
        dt=(s.B, s.L, s.H),
        A=(s.H,),
        D=(s.H,),
        B=(s.B, s.L, s.G, s.N),
        C=(s.B, s.L, s.G, s.N),
        weight_y=(s.B, s.L, s.H, s.P),
        weight_state=(s.B, s.H, s.P, s.N),
    )
    tensors["dt"] = torch.nn.functional.softplus(tensors["dt"] - 2)
    tensors["A"] = -tensors["A"].exp()
    if s.initial:
        tensors["initial_states"] = random_tensors(2, state=(s.B, s.H, s.P, s.N))["state"]
    if s.starts:
        first_L = torch.zeros(s.L, dtype=torch.int32).index_fill_(0, torch.tensor(s.starts), 1)
        tensors["seq_idx"] = first_L.cumsum(0).int().expand(s.B, s.L).contiguous()
    return tensors


def norm_inputs() -> Tensors:
    """A row count that fills no block, 64 channels."""
    return random_tensors(3, x=(2, 7, 64), z=(2, 7, 64), weight=(64,), weight_y=(2, 7, 64))


def mixer_config() -> Any:
    """A small layer of two groups, chunks that the row does not fill."""
    from nemo_lab.modeling.config import HybridConfig

    return HybridConfig(pattern="M", d_model=32, ssm_heads=4, ssm_head_dim=16, ssm_state=16, ssm_groups=2, chunk=16)


def mixer_inputs() -> Tensors:
    """A row of 40 tokens and random weights under mamba-ssm's names."""
    c = mixer_config()
    tensors = {
        "in_proj.weight": (c.in_proj_width, c.d_model),
        "conv1d.weight": (c.conv_channels, 1, c.conv_width),
        "conv1d.bias": (c.conv_channels,),
        "dt_bias": (c.ssm_heads,),
        "A_log": (c.ssm_heads,),
        "D": (c.ssm_heads,),
        "norm.weight": (c.d_inner,),
        "out_proj.weight": (c.d_model, c.d_inner),
        "u": (1, 40, c.d_model),
        "weight_y": (1, 40, c.d_model),
    }
    inputs = random_tensors(4, **tensors)
    inputs["in_proj.weight"] /= c.d_model**0.5
    inputs["dt_bias"] -= 2
    return inputs


def mixer_settings(lengths: tuple[int, ...]) -> dict[str, Any]:
    """The same layer in mamba-ssm's words."""
    c = mixer_config()
    layer = {
        "d_model": c.d_model,
        "d_state": c.ssm_state,
        "d_conv": c.conv_width,
        "headdim": c.ssm_head_dim,
        "expand": c.d_inner // c.d_model,
        "ngroups": c.ssm_groups,
        "chunk_size": c.chunk,
    }
    return {"layer": layer, "lengths": list(lengths)}


def all_cases() -> list[tuple[dict[str, Any], Tensors]]:
    """Every case for the worker, with its inputs."""
    cases = [(case_of(name, "scan", chunk=s.chunk), scan_inputs(s)) for name, s in SCANS.items()]
    for name, groups in NORMS.items():
        cases.append((case_of(name, "gated_norm", eps=EPS, group_size=64 // groups), norm_inputs()))
    for name, lengths in MIXERS.items():
        cases.append((case_of(name, "mixer", **mixer_settings(lengths)), mixer_inputs()))
    return cases


def case_of(name: str, kind: str, **settings: Any) -> dict[str, Any]:
    """A case in the worker's form."""
    return {"name": name, "kind": kind, "settings": settings}


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> Tensors:
    """Outputs and gradients of the real kernels for every case, from one subprocess."""
    folder = tmp_path_factory.mktemp("triton")
    cases = all_cases()
    (folder / "cases.json").write_text(json.dumps([case for case, _ in cases]), encoding="utf-8")
    inputs = {f"{case['name']}/{key}": tensor for case, tensors in cases for key, tensor in tensors.items()}
    save_file(inputs, folder / "inputs.safetensors")
    done = subprocess.run(
        [sys.executable, str(WORKER), str(folder)], capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return load_file(folder / "outputs.safetensors")


def with_gradients(inputs: Tensors, operator: Callable[[Tensors], Tensors]) -> Tensors:
    """Our outputs, and the gradients of the same loss that the worker takes."""
    arguments = {
        name: tensor.clone().requires_grad_(tensor.is_floating_point())
        for name, tensor in inputs.items()
        if not name.startswith("weight_")
    }
    outputs = operator(arguments)
    torch.stack([(outputs[name] * inputs[f"weight_{name}"]).sum() for name in outputs]).sum().backward()
    gradients = {f"grad_{name}": t.grad for name, t in arguments.items() if t.grad is not None}
    return {**{name: t.detach() for name, t in outputs.items()}, **gradients}


def assert_equal(ours: Tensors, kernels: Tensors, case: str) -> None:
    """Same set of outputs and gradients, each equal to 1e-5 of its largest value."""
    theirs = {name.split("/", 1)[1]: t for name, t in kernels.items() if name.split("/", 1)[0] == case}
    assert ours.keys() == theirs.keys()
    errors = {name: float((ours[name] - theirs[name]).abs().max() / theirs[name].abs().max()) for name in theirs}
    bad = {name: error for name, error in errors.items() if not error <= TOLERANCE}
    assert not bad, f"{case}: relative errors {bad}"


@pytest.mark.parametrize("name", SCANS)
def test_chunked_scan_equals_the_kernels(name: str, kernels: Tensors) -> None:
    from nemo_lab.modeling.ssd import ssd_chunked

    def ours(t: Tensors) -> Tensors:
        y, state = ssd_chunked(
            t["x"],
            t["dt"],
            t["A"],
            t["B"],
            t["C"],
            chunk=SCANS[name].chunk,
            D_H=t["D"],
            document_BL=t.get("seq_idx"),
            initial_state_BHPN=t.get("initial_states"),
            return_state=True,
        )
        return {"y": y, "state": state}

    assert_equal(with_gradients(scan_inputs(SCANS[name]), ours), kernels, name)


@pytest.mark.parametrize("name", NORMS)
def test_gated_norm_equals_the_kernel(name: str, kernels: Tensors) -> None:
    from nemo_lab.modeling.mamba2 import gated_rms_norm

    def ours(t: Tensors) -> Tensors:
        return {"y": gated_rms_norm(t["x"], t["z"], t["weight"], NORMS[name], EPS)}

    assert_equal(with_gradients(norm_inputs(), ours), kernels, name)


@pytest.mark.parametrize("name", MIXERS)
def test_mixer_equals_the_module_of_mamba_ssm(name: str, kernels: Tensors) -> None:
    """Our whole layer, as it trains: fused convolution, scan and norm with hand-written backward passes."""
    from nemo_lab.modeling.mamba2 import Mamba2

    document_L = torch.repeat_interleave(torch.arange(len(MIXERS[name])), torch.tensor(MIXERS[name]))
    layer = Mamba2(mixer_config())

    def ours(t: Tensors) -> Tensors:
        same = {name: t[name] for name in ("in_proj.weight", "out_proj.weight", "dt_bias", "A_log", "D")}
        renamed = {"conv_weight": t["conv1d.weight"].squeeze(1), "conv_bias": t["conv1d.bias"]}
        weights = {**same, **renamed, "norm_weight": t["norm.weight"]}
        return {"y": torch.func.functional_call(layer, weights, (t["u"], document_L[None]))}

    assert_equal(with_gradients(mixer_inputs(), ours), kernels, name)


def test_the_comparison_notices_a_wrong_scan(kernels: Tensors) -> None:
    """The negative control: ignoring the documents must fail, or the comparison proves nothing."""
    from nemo_lab.modeling.ssd import ssd_chunked

    def leaking(t: Tensors) -> Tensors:
        y, state = ssd_chunked(t["x"], t["dt"], t["A"], t["B"], t["C"], chunk=32, D_H=t["D"], return_state=True)
        return {"y": y, "state": state}

    with pytest.raises(AssertionError, match="relative errors"):
        assert_equal(with_gradients(scan_inputs(SCANS["documents"]), leaking), kernels, "documents")
