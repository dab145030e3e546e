"""Many processes: FSDP2 shards parameters, gradients and optimizer state; the results stay the same.

A script that trains with one process trains with many by two more lines:

    from nemo_lab.training import distributed, train

    device = distributed.start()                       # joins torchrun's group, or does nothing
    model = distributed.wrap(HybridLM(config).to(device))
    train(model, packed, settings, folder=folder)      # every process calls it with the same arguments
    distributed.finish()

    torchrun --nproc-per-node 8 script.py              # more nodes: --nnodes, --rdzv-endpoint as usual

`python -m nemo_lab.training` is such a script. `batch_size` counts the rows of all processes together, so
that the loss curve equals that of one process up to rounding. A checkpoint holds the gathered tensors in the
files that one process would write: it can be resumed with another number of processes. Every process reads
the checkpoint folder, so that it must lie on a file system all nodes share.

Without torchrun every function here is the identity, and the loop has no branch for one process. With the
gloo backend it all runs on CPU, which is how it is tested.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import nn

from nemo_lab.training.settings import TrainingError


def start() -> torch.device:
    """Join the process group that torchrun describes in the environment, and return this process's device."""
    local = int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if torch.cuda.is_available() else torch.device("cpu")
    if device.type == "cuda":
        torch.cuda.set_device(device)
    if "RANK" in os.environ and not _is_joined():
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return device


def finish() -> None:
    """Leave the process group, if there is one."""
    if _is_joined():
        torch.distributed.destroy_process_group()


def rank() -> int:
    """Number of this process, 0 where there is only one."""
    return torch.distributed.get_rank() if _is_joined() else 0


def world() -> int:
    """Number of processes."""
    return torch.distributed.get_world_size() if _is_joined() else 1


def wrap(model: nn.Module) -> nn.Module:
    """Shard the model over all processes, block by block (`model.blocks`), in place; returns it.

    Parameters become DTensors of the same names. Each block's parameters are gathered only while it computes.
    With one process the model stays as it is.
    """
    if world() == 1:
        return model
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard, register_fsdp_forward_method

    mesh = init_device_mesh(next(model.parameters()).device.type, (world(),))
    for block in getattr(model, "blocks", ()):
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)
    register_fsdp_forward_method(model, "loss")
    return model


def own_rows(n_rows: int) -> slice:
    """This process's part of the rows of a global batch."""
    share, rest = divmod(n_rows, world())
    if rest:
        raise TrainingError(
            f"A batch of {n_rows} rows cannot be shared equally by {world()} processes; choose a multiple."
        )
    return slice(rank() * share, (rank() + 1) * share)


def total(value: torch.Tensor) -> torch.Tensor:
    """Sum of a tensor over all processes."""
    if world() > 1:
        value = value.clone()
        torch.distributed.all_reduce(value)
    return value


def wait() -> None:
    """Wait until every process has come here."""
    if world() > 1:
        torch.distributed.barrier()


def gathered(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Whole tensors on the CPU from possibly sharded ones, in the first process; empty in the others.

    All processes must ask at the same time, for the same names in the same order.
    """
    whole = {}
    for name, tensor in tensors.items():
        gathered_tensor = whole_of(tensor).detach()
        if rank() == 0:
            whole[name] = gathered_tensor.cpu()
    return whole


def whole_of(tensor: torch.Tensor) -> torch.Tensor:
    """The whole of a possibly sharded tensor; all processes must ask at the same time."""
    return cast(Any, tensor).full_tensor() if _is_sharded(tensor) else tensor


def scattered(whole: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """A whole tensor in the device and sharding of `like`: the inverse of `gathered`."""
    whole = whole.to(like.device)
    if not _is_sharded(like):
        return whole
    from torch.distributed.tensor import distribute_tensor

    sharded: Any = like
    return distribute_tensor(whole, sharded.device_mesh, sharded.placements)


def _is_joined() -> bool:
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def _is_sharded(tensor: torch.Tensor) -> bool:
    return hasattr(tensor, "full_tensor")
