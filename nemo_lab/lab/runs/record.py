"""One JSON record a run: what was asked for, what was measured, by which code, on which machine.

Schema 1, read by `nemo-lab report` and by the tests that hold stored numbers to their tolerances:

    schema, notebook, scale, seed, parameters {…}, status, started (ISO, UTC), seconds, peak_mb,
    code {version, git, hash}, packages {name: version}, machine {cpu, cores, memory_gb, gpu, python, os},
    claims [{id, samples, n, mean, low, high, verdict, control {the same} or null, note}],
    values {name: number}

The record holds no path and no host name, so that it can be published as it is.
"""

import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

import nemo_lab
from nemo_lab.lab.ledger.claims import Judgement
from nemo_lab.lab.runs.staleness import code_hash
from nemo_lab.sources import PACKAGE

SCHEMA = 1
_PACKAGES = (
    *("torch", "numpy", "scipy", "pandas", "transformers", "datasets", "tokenizers", "safetensors"),
    *("matplotlib", "mamba-ssm", "causal-conv1d", "transformer-engine", "flash-attn", "ray"),
)


def describe_claim(claim_id: str, judgement: Judgement, note: str) -> dict[str, Any]:
    """Return the record's entry for one judged claim."""
    control = judgement.control and _numbers(judgement.control)
    return {"id": claim_id, **_numbers(judgement), "control": control, "note": note}


def _numbers(judgement: Judgement) -> dict[str, Any]:
    return {
        "samples": list(judgement.samples),
        "n": judgement.n,
        "mean": judgement.mean,
        "low": judgement.low,
        "high": judgement.high,
        "verdict": judgement.verdict,
    }


def describe_code(notebook: str) -> dict[str, str]:
    """Return the package's version, git commit ("" outside a checkout) and the notebook's code hash."""
    path = find_notebook(notebook)
    return {"version": nemo_lab.__version__, "git": _git(), "hash": code_hash(path) if path else ""}


def find_notebook(notebook: str) -> Path | None:
    """Return the notebook's file in the checkout or under the current folder, or None."""
    places = (PACKAGE.parent / "notebooks", Path.cwd(), Path.cwd() / "notebooks")
    return next((path for place in places if (path := place / f"{notebook}.ipynb").is_file()), None)


def _git() -> str:
    command = ["git", "-C", str(PACKAGE.parent), "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    # A package installed inside somebody else's repository must not borrow its commit.
    return done.stdout.strip() if done.returncode == 0 and (PACKAGE.parent / ".git").exists() else ""


def describe_packages() -> dict[str, str]:
    """Return the versions of the installed packages that can change a result."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def describe_machine() -> dict[str, Any]:
    """Return processor, usable cores, memory in GB, GPU, Python and system; no host name."""
    import psutil

    return {
        "cpu": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "gpu": _gpu(),
        "python": platform.python_version(),
        "os": f"{platform.system()} {platform.release()}",
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _gpu() -> str:
    torch = sys.modules.get("torch")  # not imported for this: a notebook without torch used no GPU
    return torch.cuda.get_device_name(0) if torch and torch.cuda.is_available() else ""
