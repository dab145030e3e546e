"""One of torchrun's processes: `python -m nemo_lab.training`, checking that parameters are really sharded."""

import sys

import torch

from nemo_lab.training import distributed
from nemo_lab.training.__main__ import main

wrap = distributed.wrap


def wrap_and_check(model):
    whole = sum(p.numel() for p in model.parameters())
    model = wrap(model)
    local = sum(p.to_local().numel() for p in model.parameters())
    assert local < 0.6 * whole, (local, whole)
    return model


if __name__ == "__main__":
    torch.set_num_threads(1)
    distributed.wrap = wrap_and_check
    sys.exit(main())
