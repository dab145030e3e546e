"""A policy small enough for tests: 2 layers, 16 wide, over the codec's characters."""

import torch

from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.model import HybridLM
from nemo_lab.reasoning.codec import Codec
from nemo_lab.reasoning.policy import Policy

CODEC = Codec()


def tiny_policy(pattern: str = "*-", seed: int = 0, **changes: object) -> Policy:
    """A fresh policy; the same seed gives the same weights."""
    sizes = {
        "pattern": pattern,
        "vocab_size": CODEC.vocab_size,
        "d_model": 16,
        "d_ff": 32,
        "n_heads": 2,
        "n_kv_heads": 1,
        "head_dim": 8,
        "ssm_heads": 2,
        "ssm_head_dim": 8,
        "ssm_state": 8,
        "ssm_groups": 1,
        "chunk": 16,
        "rope_theta": 100.0,
        "init_std": 0.2,
    } | changes
    return Policy.of(HybridLM(HybridConfig(**sizes), seed=seed), CODEC)


def tiny_llama(seed: int = 0) -> Policy:
    """A causal language model of Hugging Face over the same tokens."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=CODEC.vocab_size,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        pad_token_id=CODEC.pad,
        eos_token_id=CODEC.end,
        bos_token_id=None,
    )
    return Policy(LlamaForCausalLM(config).eval(), CODEC.encode, CODEC.decode, CODEC.end, CODEC.pad)
