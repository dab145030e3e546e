"""A tiny Llama with SmolLM2's ratio of heads and with weights large enough that every part matters."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from nemo_lab.compression.puzzle.child import cast
from nemo_lab.compression.puzzle.library import LibraryRecipe
from nemo_lab.compression.puzzle.parent import open_parent
from nemo_lab.compression.puzzle.parts import KINDS, Option
from nemo_lab.compression.puzzle.scores import Reference
from nemo_lab.progress import quiet
from nemo_lab.studies.puzzle_nas.runs import Texts

RECIPE = LibraryRecipe.of((3, 1, "linear", 0), (24, 12, "linear", 0))
SIZES = {
    "hidden_size": 36,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "head_dim": 4,
    "intermediate_size": 24,
    "num_hidden_layers": 4,
    "vocab_size": 64,
    "tie_word_embeddings": True,
    "initializer_range": 0.2,
}


@dataclass(frozen=True)
class Settings:
    """What the jobs read of notebook 08's settings, for the first three layers of this Llama."""

    layers: int = 3
    heads: tuple = ("3", "1", "linear", "0")
    widths: tuple = ("24", "12", "linear", "0")
    length: int = 16
    library_rows: int = 8
    score_rows: int = 3
    held_out_rows: int = 3
    batch_rows: int = 2
    local_steps: int = 3
    local_lr: float = 1e-3
    steps: int = 6
    lr: float = 1e-3
    every: int = 2


def llama(**changes):
    """A plain Llama in float32 with weights that bf16 holds, so that opening it as a parent changes none."""
    torch.manual_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**SIZES | changes)).eval()
    return cast(cast(model, torch.bfloat16), torch.float32)


def parent(**changes):
    """The same as a Puzzle model, in float32, opened from a folder as a notebook opens its parent."""
    whole = llama(**changes)
    with tempfile.TemporaryDirectory() as folder, quiet():
        whole.save_pretrained(folder)
        return cast(open_parent(Path(folder), whole.config.num_hidden_layers), torch.float32)


def choice(*sizes):
    """A choice of these sizes, of attention and feed-forward part in turn."""
    return [Option(KINDS[slot % 2], size) for slot, size in enumerate(sizes)]


def rows(count=8, length=16, seed=1):
    """Random tokens."""
    return torch.randint(64, (count, length), generator=torch.Generator().manual_seed(seed))


def texts():
    """The texts of one repeat, of as many rows as the settings say."""
    return Texts(rows(8), rows(3, seed=2), rows(12, seed=3).view(6, 2, 16), rows(3, seed=4))


NAMED = Texts("library", "scores", "distil", "held out")  # texts that a recorder can tell apart


def stand_in(monkeypatch, where):
    """Put a parent in the place of the one that the jobs in `where` open, and references that name their text."""
    made = SimpleNamespace(lm_head="head", model=SimpleNamespace(layers="layers", norm="norm"))

    def load_parent(folder, layers):
        assert (folder, layers) == (Path("llama"), 3)
        return made

    monkeypatch.setattr(where, "load_parent", load_parent)
    monkeypatch.setattr(Reference, "of", classmethod(lambda cls, model, tokens: (model, tokens)))
    return made
