"""Threads, memory layout and the folder of the machine code."""

import multiprocessing
from pathlib import Path

import pytest
import torch
from torch import Tensor

from nemo_lab.modeling.fused import compiled
from nemo_lab.modeling.fused.norm import rms_norm_backward


def weight_gradient(threads: int) -> tuple[Tensor, Tensor]:
    """A kernel with sums over rows."""
    torch.set_num_threads(threads)
    g = torch.Generator().manual_seed(0)
    du, dstream, x = (torch.randn(500, 37, generator=g) for _ in range(3))  # too few for torch's own threads
    dx, dweight = torch.full_like(x, torch.nan), torch.full((8, 37), torch.nan)
    rms_norm_backward(du, dstream, x, torch.ones(37), torch.ones(500), dx, dweight)
    return dx, dweight


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_results_do_not_depend_on_the_threads(threads: int) -> None:
    for one, several in zip(weight_gradient(1), weight_gradient(threads), strict=True):
        assert torch.equal(one, several)


def in_child() -> None:
    assert not weight_gradient(2)[0].isnan().any()


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_process_has_threads_of_its_own() -> None:
    weight_gradient(2)
    child = multiprocessing.get_context("fork").Process(target=in_child)
    child.start()
    child.join(60)
    code = child.exitcode
    child.kill()
    assert code == 0


def test_a_view_with_holes_is_refused() -> None:
    x = torch.randn(4, 6)
    with pytest.raises(ValueError, match=r"strides \(1, 6\) and shape \(6, 4\)"):
        rms_norm_backward(x.t(), *[x] * 6)


def test_the_folder_is_announced_once(lab_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [compiled._folder.__wrapped__() for _ in range(2)]
    assert folders[0] == folders[1]
    assert folders[0].parent == lab_home / "kernels"
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"compiling kernels for this machine, once, into {folders[0]} …\n"
