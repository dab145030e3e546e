"""The smallest model with HybridLM's interface that looks at earlier tokens, and data for it.

Training must work for any module with that interface; most tests use this one because it is quick and has no
code in common with the real model.
"""

import json
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from nemo_lab.training import pack

VOCAB = 50


@dataclass(frozen=True)
class TinyConfig:
    width: int = 16
    dropout: float = 0.0


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm = nn.LayerNorm(config.width)
        self.linear = nn.Linear(2 * config.width, config.width)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x_BLD, weight_BLL):
        seen_BLD = weight_BLL.to(x_BLD.dtype) @ self.norm(x_BLD)
        return x_BLD + self.dropout(torch.tanh(self.linear(torch.cat([x_BLD, seen_BLD], -1))))


class TinyLM(nn.Module):
    """Two blocks that mix each token with the mean of the earlier ones of its document."""

    def __init__(self, config=TinyConfig(), seed=0):
        super().__init__()
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.embedding = nn.Embedding(VOCAB, config.width)
            self.blocks = nn.ModuleList(Block(config) for _ in range(2))
            self.head = nn.Linear(config.width, VOCAB, bias=False)

    def forward(self, tokens_BL, document_BL=None):
        document_BL = torch.zeros_like(tokens_BL) if document_BL is None else document_BL
        same_BLL = (document_BL[:, :, None] == document_BL[:, None, :]).float().tril()
        x_BLD = self.embedding(tokens_BL)
        for block in self.blocks:
            x_BLD = block(x_BLD, same_BLL / same_BLL.sum(-1, keepdim=True))
        return self.head(x_BLD).float()

    def loss(self, tokens_BL, targets_BL, document_BL=None, reduction="mean"):
        logits_BLV = self(tokens_BL, document_BL)
        nats = F.cross_entropy(logits_BLV.flatten(0, 1), targets_BL.flatten(), reduction=reduction)
        return nats.view_as(targets_BL) if reduction == "none" else nats


def tiny_data(n=40, length=12, seed=0):
    """Documents in which a token is the one before plus one, mostly: something to learn."""
    rng = np.random.default_rng(seed)
    starts, sizes = rng.integers(1, VOCAB, n), rng.integers(1, 30, n)
    return pack([(s + np.arange(k) - 1) % (VOCAB - 1) + 1 for s, k in zip(starts, sizes, strict=True)], length, eos=0)


HYBRID = {
    "pattern": "M-*-",
    "vocab_size": VOCAB,
    "d_model": 16,
    "d_ff": 32,
    "n_heads": 2,
    "n_kv_heads": 1,
    "head_dim": 8,
    "ssm_heads": 4,
    "ssm_head_dim": 8,
    "ssm_state": 8,
    "ssm_groups": 2,
    "chunk": 8,
}
"""Fields of a HybridConfig as small as they get."""


def hybrid_run(folder, **train):
    """Files for `python -m nemo_lab.training`: data, configuration, and the configuration itself."""
    defaults = {"steps": 12, "batch_size": 4, "peak_lr": 0.01, "precision": "fp32", "checkpoint_every": 5}
    config = {"model": HYBRID, "train": defaults | train}
    data, path = folder / "packed.safetensors", folder / "run.json"
    tiny_data().save(data)
    path.write_text(json.dumps(config))
    return data, path, config
