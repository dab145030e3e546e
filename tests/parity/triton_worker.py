"""Runs mamba-ssm's real Triton kernels on a CPU, in Triton's interpreter, for `test_triton.py`.

The kernels want a GPU in four small places; the shims below stand in for them. They are monkey-patches of
torch and Triton, so they live in this process of their own and never in the package or in pytest's process.

Called as `python triton_worker.py FOLDER`. The folder holds `cases.json`, a list of
`{"name", "kind", "settings"}`, and `inputs.safetensors` with tensors named `<case>/<argument>`. The worker
writes `outputs.safetensors`: `<case>/<output>` and, for each floating-point argument,
`<case>/grad_<argument>`, the gradient of the sum over outputs of `<output> * <case>/weight_<output>`.
"""

import contextlib
import json
import os
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported
os.environ["HF_HUB_OFFLINE"] = "1"  # mamba_ssm imports transformers

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]


def pretend_there_is_a_gpu() -> None:
    """Stand in for the four places where a GPU is asked for; no kernel's arithmetic is touched.

    There is nothing to time in an interpreter, so the autotuner takes its first configuration: they differ
    in block sizes only.
    """
    import triton.runtime.autotuner as autotuner

    def run_first_config(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.nargs = dict(zip(self.arg_names, args, strict=False))
        self.best_config = config = self.configs[0]
        if config.pre_hook is not None:
            config.pre_hook({**self.nargs, **kwargs, **config.all_kwargs()})
        return self.fn.run(*args, **kwargs, **config.all_kwargs())

    one_core = types.SimpleNamespace(multi_processor_count=1)
    sys.modules["selective_scan_cuda"] = types.ModuleType("selective_scan_cuda")  # Mamba-1's, never called
    torch.cuda.device = lambda *_: contextlib.nullcontext()
    torch.cuda.get_device_properties = lambda *_: one_core
    autotuner.Autotuner.run = run_first_config


def scan(arguments: Tensors, settings: dict[str, Any]) -> Tensors:
    """`mamba_chunk_scan_combined`: y (B, L, H, P) and the last state (B, H, P, N)."""
    from mamba_ssm.ops.triton.ssd_combined import mamba_chunk_scan_combined

    names = ("x", "dt", "A", "B", "C")
    optional = {name: arguments.get(name) for name in ("D", "seq_idx", "initial_states")}
    y, state = mamba_chunk_scan_combined(
        *(arguments[name] for name in names), settings["chunk"], **optional, return_final_states=True
    )
    return {"y": y, "state": state}


def gated_norm(arguments: Tensors, settings: dict[str, Any]) -> Tensors:
    """`rmsnorm_fn` as Mamba-2 calls it: the gate first, then RMSNorm within each group of channels."""
    from mamba_ssm.ops.triton.layernorm_gated import rmsnorm_fn

    y = rmsnorm_fn(
        arguments["x"],
        arguments["weight"],
        None,
        z=arguments["z"],
        eps=settings["eps"],
        group_size=settings["group_size"],
        norm_before_gate=False,
    )
    return {"y": y}


def mixer(arguments: Tensors, settings: dict[str, Any]) -> Tensors:
    """The whole module `Mamba2`: projection, causal convolution, scan, gated norm, projection.

    `use_mem_eff_path=False` is its plain path, which needs no causal-conv1d. That path takes one document
    at a time, so a packed row is cut into its documents of `lengths` tokens and put together again.
    """
    from mamba_ssm.modules.mamba2 import Mamba2

    layer = Mamba2(**settings["layer"], use_mem_eff_path=False)
    weights = {name: tensor for name, tensor in arguments.items() if name != "u"}
    documents = arguments["u"].split(settings["lengths"], dim=1)
    parts = [torch.func.functional_call(layer, weights, (u.contiguous(),)) for u in documents]
    return {"y": torch.cat(parts, dim=1)}


KINDS: dict[str, Callable[[Tensors, dict[str, Any]], Tensors]] = {
    "scan": scan,
    "gated_norm": gated_norm,
    "mixer": mixer,
}


def run_case(case: dict[str, Any], tensors: Tensors) -> Tensors:
    """One case forward and backward: its outputs and the gradients of its arguments."""
    own = {name.split("/", 1)[1]: t for name, t in tensors.items() if name.split("/", 1)[0] == case["name"]}
    weighted = [name for name in own if name.startswith("weight_")]
    weights = {name.removeprefix("weight_"): own.pop(name) for name in weighted}
    arguments = {name: t.requires_grad_(t.is_floating_point()) for name, t in own.items()}
    outputs = KINDS[case["kind"]](arguments, case["settings"])
    torch.stack([(outputs[name] * weight).sum() for name, weight in weights.items()]).sum().backward()
    gradients = {f"grad_{name}": t.grad for name, t in arguments.items() if t.grad is not None}
    return {f"{case['name']}/{name}": t.detach().contiguous() for name, t in {**outputs, **gradients}.items()}


def main(folder: Path) -> None:
    """Runs every case of the folder and writes `outputs.safetensors`."""
    torch.set_num_threads(1)
    pretend_there_is_a_gpu()
    tensors = load_file(folder / "inputs.safetensors")
    outputs: Tensors = {}
    for case in json.loads((folder / "cases.json").read_text(encoding="utf-8")):
        outputs.update(run_case(case, tensors))
    save_file(outputs, folder / "outputs.safetensors")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
