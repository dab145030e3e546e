"""A folder as NVIDIA publishes its hybrids: the fields of Nemotron-H-8B's config.json, its tensors' names, shards."""

import json
import re
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from nemo_lab.modeling import HybridLM

RENAMED = (
    (r"^embedding\.", "backbone.embeddings."),
    (r"^blocks\.", "backbone.layers."),
    (r"^norm\.", "backbone.norm_f."),
    (r"^head\.", "lm_head."),
    (r"mixer\.conv_(weight|bias)$", r"mixer.conv1d.\1"),
    (r"mixer\.norm_weight$", "mixer.norm.weight"),
)


def official_name(name: str) -> str:
    for ours, theirs in RENAMED:
        name = re.sub(ours, theirs, name)
    return name


def official_fields(model: HybridLM) -> dict[str, Any]:
    """The published config.json of Nemotron-H-8B-Base-8K with the sizes of `model`."""
    c = model.config
    return {
        "architectures": ["NemotronHForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "attention_head_dim": c.head_dim,
        "auto_map": {"AutoModelForCausalLM": "modeling_nemotron_h.NemotronHForCausalLM"},
        "bos_token_id": 1,
        "chunk_size": c.chunk,
        "conv_kernel": c.conv_width,
        "eos_token_id": 2,
        "expand": 2,
        "hidden_dropout": 0.0,
        "hidden_size": c.d_model,
        "hybrid_override_pattern": c.pattern,
        "initializer_range": 0.02,
        "intermediate_size": c.d_ff,
        "layer_norm_epsilon": c.norm_eps,
        "mamba_head_dim": c.ssm_head_dim,
        "mamba_hidden_act": "silu",
        "mamba_num_heads": c.ssm_heads,
        "mamba_proj_bias": False,
        "max_position_embeddings": 8192,
        "mlp_bias": False,
        "mlp_hidden_act": "relu2",
        "model_type": "nemotron_h",
        "n_groups": c.ssm_groups,
        "num_attention_heads": c.n_heads,
        "num_hidden_layers": len(c.pattern),
        "num_key_value_heads": c.n_kv_heads,
        "num_logits_to_keep": 1,
        "pad_token_id": 0,
        "rescale_prenorm_residual": True,
        "residual_in_fp32": False,
        "rms_norm_eps": 1e-05,
        "sliding_window": None,
        "ssm_state_size": c.ssm_state,
        "tie_word_embeddings": False,
        "time_step_floor": 0.0001,
        "time_step_limit": [0.0, float("inf")],
        "time_step_max": 0.1,
        "time_step_min": 0.001,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.48.0.dev0",
        "use_bias": False,
        "use_cache": True,
        "use_conv_bias": True,
        "use_mamba_kernels": True,
        "vocab_size": c.vocab_size,
    }


def official_folder(folder: Path, model: HybridLM, shards: int = 3, **fields: Any) -> Path:
    """The model's weights in bfloat16 in so many files; a field that is None goes."""
    tensors = {}
    for name, tensor in model.state_dict().items():
        new = tensor.detach().bfloat16()
        tensors[official_name(name)] = new[:, None].contiguous() if name.endswith("conv_weight") else new
    names, weight_map = sorted(tensors), {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        save_file({name: tensors[name] for name in names[i::shards]}, folder / file, metadata={"format": "pt"})
        weight_map |= dict.fromkeys(names[i::shards], file)
    total = sum(tensor.numel() * 2 for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": weight_map}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    said = {name: value for name, value in (official_fields(model) | fields).items() if value is not None}
    (folder / "config.json").write_text(json.dumps(said))
    return folder


def generated(folder: Path, model: HybridLM, shards: int) -> Path:
    """The same of a model on the meta device, with weights made shard by shard."""
    names, weight_map = list(model.state_dict()), {}
    for i in range(shards):
        file = f"model-{i + 1:05}-of-{shards:05}.safetensors"
        some = {}
        for name in names[i::shards]:
            shape = model.state_dict()[name].shape
            shape = (shape[0], 1, shape[1]) if name.endswith("conv_weight") else shape
            some[official_name(name)] = torch.full(shape, 0.01, dtype=torch.bfloat16)
        save_file(some, folder / file)
        weight_map |= dict.fromkeys(some, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    (folder / "config.json").write_text(json.dumps(official_fields(model)))
    return folder
