"""Checkpoints of Hugging Face `transformers`, both ways: `nemotron_h`, the class of the published hybrids.

    save_hf(model, "my-hybrid", tokenizer)      →  AutoModelForCausalLM.from_pretrained("my-hybrid")
    from_hf("my-hybrid")                        →  HybridLM

The two models hold the same tensors under other names, so the translation is a list of names and one
reshaped tensor (the convolution's weight has a middle dimension of one there). What `HybridLM` cannot express
(experts, biases, tied embeddings, a sliding window, dropout, other activations) and what `nemotron_h` cannot
(rotary positions) is refused with a sentence that names it; nothing is dropped in silence, except the
multi-token-prediction tensors `mtp.*`, which `transformers` ignores as well.

Relative to `transformers` 5.23: its Mamba-2 layer clamps the step size dt from below at the configured
`time_step_min` when it reads a sequence, but not when it decodes one token. Our `dt_min` does the former.
`to_hf` writes `time_step_min = max(dt_min, 1e-12)`, which clamps nothing for `dt_min = 0`, and `from_hf` sets
`dt_min = time_step_min`. A model without any attention layer gets `use_cache = False`, because the cache of
`transformers` asks an attention layer for its length.

A folder from elsewhere is untrusted: only config.json and safetensors are read, names and shapes are compared
before any tensor is, and files outside the folder are never opened.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nemo_lab.errors import LabError, check_path
from nemo_lab.modeling.chat_templates import end_of_turn, opening_of, template_of
from nemo_lab.modeling.checkpoint_folder import check_target, make_parent, open_tensors, read_json
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.model import HybridLM
from nemo_lab.progress import quiet

NO_CLAMP = 1e-12  # below every step size that float32's softplus gives a trained layer
EOS, PAD = "<|endoftext|>", "<|pad|>"  # the special tokens of the lab's tokenizer
MAX_LAYERS = 1024

Shape = tuple[int, ...]

_LETTERS = {"linear_attention": "M", "mamba": "M", "full_attention": "*", "attention": "*", "mlp": "-"}
_LAYER_NAMES = {"M": "linear_attention", "*": "full_attention", "-": "mlp"}
# Ours, the names theirs has or had (first: today's), and the default of `transformers`.
_FIELDS: tuple[tuple[str, tuple[str, ...], Any], ...] = (
    ("vocab_size", ("vocab_size",), 131072),
    ("d_model", ("hidden_size",), 4096),
    ("d_ff", ("intermediate_size",), 21504),
    ("n_heads", ("num_attention_heads",), 32),
    ("n_kv_heads", ("num_key_value_heads",), 8),
    ("head_dim", ("head_dim", "attention_head_dim"), 128),
    ("ssm_heads", ("mamba_num_heads",), 128),
    ("ssm_head_dim", ("mamba_head_dim",), 64),
    ("ssm_state", ("ssm_state_size",), 128),
    ("ssm_groups", ("n_groups", "mamba_n_groups"), 8),
    ("conv_width", ("conv_kernel", "mamba_d_conv"), 4),
    ("chunk", ("chunk_size", "mamba_chunk_size"), 128),
    ("norm_eps", ("layer_norm_epsilon",), 1e-5),
    ("init_std", ("initializer_range",), 0.02),
    ("time_step_max", ("time_step_max", "mamba_dt_max"), 0.1),
    ("time_step_floor", ("time_step_floor", "mamba_dt_init_floor"), 1e-4),
    ("dt_min", ("time_step_min", "mamba_dt_min"), 1e-3),
)
# What the checkpoint must say, if it says anything, for the two models to be the same function.
_REQUIRED: dict[str, Any] = {
    "model_type": "nemotron_h",
    "tie_word_embeddings": False,
    "attention_bias": False,
    "mlp_bias": False,
    "use_bias": False,
    "mamba_proj_bias": False,
    "use_conv_bias": True,
    "mamba_conv_bias": True,
    "sliding_window": None,
    "mlp_hidden_act": "relu2",
    "mamba_hidden_act": "silu",
    "attention_dropout": 0,
    "hidden_dropout": 0,
}
_PREFIXES = (
    ("embedding.", "model.embeddings."),
    ("blocks.", "model.layers."),
    ("norm.", "model.norm_f."),
    ("head.", "lm_head."),
)
_MIXER_NAMES = {"conv_weight": "conv1d.weight", "conv_bias": "conv1d.bias", "norm_weight": "norm.weight"}


def to_hf(model: HybridLM) -> Any:
    """The same model as `transformers.NemotronHForCausalLM`, with its own copy of the weights.

    Raises:
        LabError: no `HybridLM`, or one with rotary positions, which `nemotron_h` has not.
    """
    from transformers import NemotronHConfig, NemotronHForCausalLM

    if not isinstance(model, HybridLM):
        raise LabError(f"model is a {type(model).__name__}, expected a HybridLM; others have a way of their own.")
    config = NemotronHConfig(**config_to_hf(model.config))
    with torch.device("meta"):  # no time and no random numbers for weights that are replaced
        hf = NemotronHForCausalLM(config)
        plain = HybridLM(model.config)
    plain.load_state_dict(model.state_dict(), assign=True)  # without what FP8 layers keep beside the weights
    tensors = {}
    for name, tensor in plain.state_dict().items():
        copy = tensor.detach().clone()
        tensors[hf_name(name)] = copy[:, None] if name.endswith("conv_weight") else copy
    hf.load_state_dict(tensors, strict=True, assign=True)
    return hf.eval()


def from_hf(source: Any, dtype: torch.dtype = torch.float32) -> HybridLM:
    """A `HybridLM` with its own copy of the weights of a `nemotron_h` checkpoint or model.

    Args:
        source: a folder with config.json and safetensors (one file or shards), or a `NemotronHForCausalLM`.
        dtype: of our parameters; float32 is what training expects.

    Raises:
        LabError: a damaged or foreign folder, a tensor missing, left over or of another shape, or a feature
            that `HybridLM` lacks; the sentence names it.
    """
    if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
        raise LabError(f"dtype is {dtype!r}, expected a floating-point one, such as torch.float32.")
    if isinstance(source, str | os.PathLike):
        folder = check_path("source", source)
        config = config_from_hf(read_json(folder / "config.json"))
        return _fill(config, *open_tensors(folder), dtype)
    if not hasattr(getattr(source, "config", None), "to_dict"):
        raise LabError(
            f"source is a {type(source).__name__}, expected a checkpoint's folder or a NemotronHForCausalLM."
        )
    state = source.state_dict()
    shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
    return _fill(config_from_hf(source.config.to_dict()), shapes, state.__getitem__, dtype)


def save_hf(
    model: HybridLM, folder: str | os.PathLike[str], tokenizer: Any = None, chat_template: str | None = None
) -> Path:
    """Writes a folder that `AutoModelForCausalLM` and `AutoTokenizer` open; returns its path.

    The folder appears when it is complete, under a temporary name before; an older checkpoint there is
    replaced, any other folder is left alone.

    Args:
        tokenizer: a `tokenizers.Tokenizer` with the tokens <|endoftext|> and <|pad|>, a tokenizer of
            `transformers`, a `reasoning.Codec`, or None. It also tells the model where to stop generating.
        chat_template: how a conversation becomes a prompt, in the Jinja of `transformers`; None: the tokenizer's
            own, else that of the chat markers among its tokens (`chat_templates`), else none.

    Raises:
        LabError: the folder holds something else or cannot be made, or the tokenizer does not fit the model.
    """
    target = check_path("folder", folder)
    check_target(target)
    hf = to_hf(model)
    wrapped = None if tokenizer is None else _wrap_tokenizer(tokenizer, model.config.vocab_size)
    if wrapped is not None:
        own = chat_template or wrapped.chat_template
        wrapped.chat_template = own or template_of(wrapped.get_vocab(), opening_of(wrapped))
        _set_ends(hf, wrapped)
    elif chat_template is not None:
        raise LabError("There is a chat template but no tokenizer; give the tokenizer that it belongs to.")
    make_parent(target)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as temporary:
        complete = Path(temporary, "complete")
        complete.mkdir()
        with quiet():
            hf.save_pretrained(complete)
        if wrapped is not None:
            wrapped.save_pretrained(complete)
        if target.exists():
            os.replace(target, Path(temporary, "old"))
        os.replace(complete, target)
    return target


def config_to_hf(config: HybridConfig) -> dict[str, Any]:
    """The arguments of `NemotronHConfig` for our configuration.

    `nemo_lab.time_step_min` keeps the lower end of the initial step sizes, for which `nemotron_h` has no
    field of its own: its `time_step_min` is also the clamp.
    """
    if config.rope_theta:
        raise LabError(
            f"The model has rotary positions (rope_theta={config.rope_theta}), which nemotron_h lacks; "
            f"only models with rope_theta=0 can be exported."
        )
    fields = {theirs[0]: getattr(config, ours) for ours, theirs, _ in _FIELDS}
    fields["time_step_min"] = max(config.dt_min, NO_CLAMP)
    return fields | {
        "layers_block_type": [_LAYER_NAMES[letter] for letter in config.pattern],
        "use_cache": "*" in config.pattern,
        "max_position_embeddings": 8192,
        "bos_token_id": None,
        "eos_token_id": None,
        "pad_token_id": None,
        "nemo_lab": {"time_step_min": config.time_step_min},
    }


def config_from_hf(fields: Mapping[str, Any]) -> HybridConfig:
    """Our configuration from the contents of a config.json, also of the older kind with a pattern string.

    Raises:
        LabError: another kind of model, or a feature that `HybridLM` lacks.
    """
    for name, wanted in _REQUIRED.items():
        if fields.get(name, wanted) != wanted:
            raise LabError(
                f"{name} is {fields[name]!r} in this checkpoint, and HybridLM has only {wanted!r}; "
                f"it cannot be opened as a HybridLM."
            )
    values = {ours: _first(fields, theirs, default) for ours, theirs, default in _FIELDS}
    for name in ("norm_eps", "init_std", "time_step_max", "time_step_floor", "dt_min"):
        if isinstance(values[name], bool) or not isinstance(values[name], int | float):
            raise LabError(f"{name} is {values[name]!r} in this checkpoint; it must be a number.")
    if "num_key_value_heads" in fields and fields["num_key_value_heads"] is None:
        values["n_kv_heads"] = values["n_heads"]
    if values["dt_min"] <= NO_CLAMP:
        values["dt_min"] = 0.0
    ours = fields.get("nemo_lab")
    if isinstance(ours, dict) and isinstance(ours.get("time_step_min"), float):
        values["time_step_min"] = ours["time_step_min"]
    return HybridConfig(pattern=_pattern(fields), rope_theta=0.0, **values)


def hf_name(name: str) -> str:
    """Our name of a tensor → the name in a `nemotron_h` checkpoint."""
    for ours, theirs in _PREFIXES:
        if name.startswith(ours):
            name = theirs + name.removeprefix(ours)
            break
    path, _, last = name.rpartition(".")
    return f"{path}.{_MIXER_NAMES[last]}" if last in _MIXER_NAMES else name


def _first(fields: Mapping[str, Any], names: tuple[str, ...], default: Any) -> Any:
    for name in names:
        if fields.get(name) is not None:
            return fields[name]
    return default


def _pattern(fields: Mapping[str, Any]) -> str:
    layers = _first(fields, ("layers_block_type", "layer_types"), None)
    if layers is None:
        layers = _first(fields, ("hybrid_override_pattern",), "")
    elif isinstance(layers, list):
        layers = "".join(_LETTERS.get(str(layer), f"<{layer}>") for layer in layers)
    if not isinstance(layers, str) or len(layers) > MAX_LAYERS or set(layers) - set("M*-"):
        raise LabError(
            f"This checkpoint's layers are {str(layers)[:200]!r}; HybridLM has Mamba-2 (M), attention (*) "
            f"and feed-forward (-) layers, at most {MAX_LAYERS} of them, and no experts."
        )
    return layers


def _fill(
    config: HybridConfig, shapes: Mapping[str, Shape], read: Callable[[str], Tensor], dtype: torch.dtype
) -> HybridLM:
    """A model with the tensors that `read` gives, once their names and shapes are known to be right."""
    with torch.device("meta"):
        model = HybridLM(config)
    found = {_today(name): name for name in shapes if not name.startswith("mtp.")}
    wanted = {hf_name(name): tuple(t.shape) for name, t in model.state_dict().items()}
    wanted = {n: (s[0], 1, s[1]) if n.endswith("conv1d.weight") else s for n, s in wanted.items()}
    _compare(wanted, {name: shapes[stored] for name, stored in found.items()})
    tensors = {}
    largest_first = sorted(model.state_dict().items(), key=lambda named: -named[1].numel())  # the peak is then lowest
    for name, parameter in largest_first:
        tensor = read(found[hf_name(name)])
        if not tensor.is_floating_point():
            raise LabError(f"{hf_name(name)} holds {tensor.dtype}; weights must be floating-point numbers.")
        tensors[name] = tensor.detach().reshape(parameter.shape).to(dtype, copy=True)
    model.load_state_dict(tensors, strict=True, assign=True)
    return model


def _today(name: str) -> str:
    """The published checkpoints say `backbone.` for today's `model.`, and some `embedding.` for `embeddings.`."""
    name = "model." + name.removeprefix("backbone.") if name.startswith("backbone.") else name
    return name.replace("model.embedding.", "model.embeddings.")


def _compare(wanted: Mapping[str, Shape], found: Mapping[str, Shape]) -> None:
    problems = [f"{name} is missing" for name in wanted.keys() - found.keys()]
    problems += [f"{name} belongs to no layer of its config.json" for name in found.keys() - wanted.keys()]
    problems += [
        f"{name} has the shape {found[name]} and not {wanted[name]}"
        for name in wanted.keys() & found.keys()
        if wanted[name] != found[name]
    ]
    if problems:
        problems.sort()
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise LabError(f"The checkpoint's tensors do not fit its config.json: {problems[0]}{more}.")


def _set_ends(hf: Any, tokenizer: Any) -> None:
    """Generation stops at the end of a text, and at that of a turn where the two are not one token."""
    for settings in (hf.config, hf.generation_config):
        settings.eos_token_id, settings.pad_token_id = tokenizer.eos_token_id, tokenizer.pad_token_id
    turn = end_of_turn(tokenizer)
    if turn not in (None, tokenizer.eos_token_id):
        hf.generation_config.eos_token_id = [tokenizer.eos_token_id, turn]


def _wrap_tokenizer(tokenizer: Any, vocab_size: int) -> Any:
    """The tokenizer as one of `transformers`, with end-of-text and padding tokens, padding on the left."""
    from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

    tokenizer = tokenizer.to_hf() if hasattr(tokenizer, "to_hf") else tokenizer
    if not isinstance(tokenizer, PreTrainedTokenizerBase):
        if not hasattr(tokenizer, "token_to_id"):
            raise LabError(f"tokenizer is {tokenizer!r:.60}, expected one of `tokenizers` or `transformers`, or None.")
        missing = [token for token in (EOS, PAD) if tokenizer.token_to_id(token) is None]
        if missing:
            raise LabError(f"The tokenizer lacks the token {missing[0]}; train it with {EOS} and {PAD}.")
        tokenizer = PreTrainedTokenizerFast(
            tokenizer_object=tokenizer, eos_token=EOS, pad_token=PAD, padding_side="left"
        )
    if len(tokenizer) > vocab_size:
        raise LabError(
            f"The tokenizer has {len(tokenizer)} tokens but the model {vocab_size}; use the one it was trained with."
        )
    return tokenizer
