"""A tiny Llama with SmolLM2's ratio of heads and with weights large enough that every part matters."""

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from nemo_lab.compression.puzzle_child import as_puzzle
from nemo_lab.compression.puzzle_library import Recipe

RECIPE = Recipe((3, 1, "linear", 0), (24, 12, "linear", 0))
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


def llama(**changes):
    """A plain Llama in float32."""
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SIZES | changes)).eval()


def parent(**changes):
    """The same as a Puzzle model."""
    return as_puzzle(llama(**changes))


def rows(count=8, length=16, seed=1):
    """Random tokens."""
    return torch.randint(64, (count, length), generator=torch.Generator().manual_seed(seed))
