"""Exporting and opening: what travels, what stays alone, and what is refused."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridLM
from nemo_lab.modeling.huggingface import EOS, PAD, config_from_hf, config_to_hf, from_hf, save_hf, to_hf
from tests.modeling.damaged import damaged
from tests.modeling.official import generated, official_fields, official_folder
from tests.modeling.random_model import TINY, random_model


def tiny_tokenizer(special: list[str]) -> Any:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.pre_tokenizers import ByteLevel

    tokenizer = Tokenizer(BPE({token: i for i, token in enumerate([*special, *"abcdefgh"])}, []))
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.add_special_tokens(special)
    return tokenizer


def test_tokenizer_travels_with_the_model(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = HybridLM(TINY)
    folder = save_hf(model, tmp_path / "with-tokenizer", tiny_tokenizer([EOS, PAD]))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer("abba").input_ids == [2, 3, 3, 2]
    assert (tokenizer.eos_token, tokenizer.eos_token_id, tokenizer.pad_token_id) == (EOS, 0, 1)
    hf = AutoModelForCausalLM.from_pretrained(folder)
    assert (hf.config.eos_token_id, hf.generation_config.eos_token_id) == (0, 0)
    again = save_hf(model, tmp_path / "again", tokenizer)
    assert AutoTokenizer.from_pretrained(again)("abba").input_ids == [2, 3, 3, 2]


def test_tokenizer_must_fit(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="lacks the token <|pad|>".replace("|", r"\|")):
        save_hf(HybridLM(TINY), tmp_path / "a", tiny_tokenizer([EOS]))
    with pytest.raises(LabError, match="has 10 tokens but the model 9"):
        save_hf(HybridLM(TINY.with_(vocab_size=9)), tmp_path / "a", tiny_tokenizer([EOS, PAD]))
    assert list(tmp_path.iterdir()) == []


def test_copies_do_not_share_memory() -> None:
    model = HybridLM(TINY)
    hf = to_hf(model)
    back = from_hf(hf)
    with torch.no_grad():
        for parameter in hf.parameters():
            parameter.zero_()
    assert model.head.weight.abs().sum() > 0
    assert back.head.weight.abs().sum() > 0
    assert all(p.requires_grad and p.dtype == torch.float32 for p in back.parameters())


def test_exporting_leaves_the_random_numbers_alone() -> None:
    model = HybridLM(TINY)
    torch.manual_seed(0)
    to_hf(model)
    after = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(after, torch.rand(1))


def test_published_config_of_8b_gives_the_published_shape() -> None:
    """The fields of an old-style config.json, with the defaults of `transformers` for the others."""
    pattern = "M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M*-M-M-M-M-M-"
    config = config_from_hf({"model_type": "nemotron_h", "hybrid_override_pattern": pattern})
    with torch.device("meta"):
        assert HybridLM(config).parameter_count() == pytest.approx(8.101e9, rel=1e-4)
    assert config.dt_min == 1e-3


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tie_word_embeddings": True}, "tie_word_embeddings is True"),
        ({"attention_bias": True}, "attention_bias is True"),
        ({"use_bias": True}, "use_bias is True"),
        ({"mlp_bias": True}, "mlp_bias is True"),
        ({"use_conv_bias": False}, "use_conv_bias is False"),
        ({"mamba_conv_bias": False}, "mamba_conv_bias is False"),
        ({"sliding_window": 4096}, "sliding_window is 4096"),
        ({"mlp_hidden_act": "silu"}, "mlp_hidden_act is 'silu'"),
        ({"model_type": "llama"}, "model_type is 'llama'"),
        ({"layers_block_type": ["linear_attention", "moe"]}, "no experts"),
        ({"layers_block_type": None, "hybrid_override_pattern": "ME*-"}, "no experts"),
        ({"layers_block_type": None}, "pattern '' must be"),
        ({"layers_block_type": ["mlp"] * 2000}, "at most 1024"),
        ({"hidden_size": 0}, "d_model is 0"),
        ({"hidden_size": "32"}, "d_model is '32'"),
        ({"intermediate_size": [1, 2]}, r"d_ff is \[1, 2\]"),
        ({"layer_norm_epsilon": "small"}, "norm_eps is 'small'"),
        ({"n_groups": 3}, "ssm_groups=3 does not divide"),
        ({"layer_norm_epsilon": float("nan")}, "norm_eps is nan"),
        ({"initializer_range": -1.0}, "init_std is -1.0"),
        ({"nemo_lab": {"time_step_min": -1.0}}, "time_step_min is -1.0"),
    ],
)
def test_unsupported_config_is_one_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(LabError, match=words) as caught:
        config_from_hf({"model_type": "nemotron_h"} | config_to_hf(TINY) | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "rename",
    [
        lambda name: name,
        lambda name: name.replace("backbone.", "model."),
        lambda name: name.replace("embeddings.", "embedding."),
        lambda name: name.replace("backbone.embeddings.", "model.embedding."),
    ],
)
def test_the_names_of_every_release_open(tmp_path: Path, rename: Any) -> None:
    model = random_model(TINY, 0).bfloat16().float()
    folder = official_folder(tmp_path, model, shards=1)
    (folder / "model.safetensors.index.json").unlink()
    stored = load_file(folder / "model-00001-of-00001.safetensors")
    save_file({rename(name): tensor for name, tensor in stored.items()}, folder / "model.safetensors")
    back = from_hf(folder)
    assert all(torch.equal(a, b) for a, b in zip(back.parameters(), model.parameters(), strict=True))


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"attention_head_dim": None, "head_dim": 8}, {"head_dim": 8}),
        ({"hybrid_override_pattern": None, "layers_block_type": ["mamba", "mlp", "attention"]}, {"pattern": "M-*"}),
        ({"hybrid_override_pattern": None, "layer_types": ["full_attention", "mlp"]}, {"pattern": "*-"}),
        ({"n_groups": None, "mamba_n_groups": 1, "chunk_size": None, "mamba_chunk_size": 4}, {"ssm_groups": 1}),
        ({"num_attention_heads": 6}, {"n_heads": 6}),
    ],
)
def test_the_fields_of_every_release_are_read(fields: dict[str, Any], found: dict[str, Any]) -> None:
    said = {name: value for name, value in (official_fields(HybridLM(TINY)) | fields).items() if value is not None}
    config = config_from_hf(said)
    assert {name: getattr(config, name) for name in found} == found


def test_no_number_of_key_value_heads_means_one_for_each_query_head() -> None:
    assert config_from_hf(official_fields(HybridLM(TINY)) | {"num_key_value_heads": None}).n_kv_heads == TINY.n_heads


MEASURE = """
import sys
import torch
from nemo_lab.memory import peak_mb
from nemo_lab.modeling import from_hf

small, folder, dtype = sys.argv[1:]
from_hf(small)  # what is imported on the way is no part of the figure
before = peak_mb()
model = from_hf(folder, dtype=getattr(torch, dtype))
weights = sum(p.numel() * p.element_size() for p in model.parameters()) / 1e6
print((peak_mb() - before) / weights, weights)
"""


@pytest.mark.parametrize(("shards", "dtype"), [(4, "bfloat16"), (1, "bfloat16"), (3, "float32")])
def test_opening_takes_little_more_memory_than_the_weights(
    saved: Path, shards: int, dtype: str, tmp_path: Path
) -> None:
    config = TINY.with_(pattern="M-*-" * 4, d_model=1024, d_ff=4096, vocab_size=8192, ssm_heads=32, ssm_head_dim=32)
    with torch.device("meta"):
        model = HybridLM(config)
    folder = generated(tmp_path, model, shards)
    command = [sys.executable, "-c", MEASURE, str(saved), str(folder), dtype]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    ratio, weights = map(float, done.stdout.split())
    assert weights > 150
    assert ratio < 1.3


def test_rotary_positions_are_refused() -> None:
    with pytest.raises(LabError, match="rotary positions"):
        to_hf(HybridLM(TINY.with_(rope_theta=1e4)))


def test_wrong_tensors_are_one_sentence(saved: Path, tmp_path: Path) -> None:
    cases: list[tuple[dict[str, torch.Tensor | None], str]] = [
        ({"lm_head__weight": None}, "lm_head.weight is missing"),
        ({"lm_head__weight": torch.ones(61, 33)}, r"shape \(61, 33\) and not \(61, 32\)"),
        ({"model__layers__9__norm__weight": torch.ones(32)}, "belongs to no layer"),
        ({"model__norm_f__weight": torch.ones(32, dtype=torch.int64)}, "holds torch.int64"),
    ]
    for tensors, words in cases:
        with pytest.raises(LabError, match=words):
            from_hf(damaged(saved, tmp_path, **tensors))


@pytest.mark.parametrize("source", [None, "", 5, b"folder", HybridLM(TINY)])
def test_what_is_no_checkpoint_is_one_sentence(source: Any) -> None:
    with pytest.raises(LabError, match=r"source is .* expected"):
        from_hf(source)


def test_a_checkpoint_opens_in_a_floating_point_dtype(saved: Path) -> None:
    for dtype in ("float32", torch.int8):
        with pytest.raises(LabError, match=r"dtype is .* expected a floating-point one"):
            from_hf(saved, dtype=dtype)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": None}, "model is a NoneType, expected a HybridLM"),
        ({"folder": None}, "folder is None, expected the path"),
        ({"folder": ""}, "folder is '', expected the path"),
        ({"tokenizer": "gpt2"}, "tokenizer is 'gpt2', expected one of `tokenizers`"),
    ],
)
def test_what_cannot_be_saved_is_one_sentence(change: dict[str, Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=words):
        save_hf(**{"model": HybridLM(TINY), "folder": tmp_path / "a"} | change)
    assert list(tmp_path.iterdir()) == []


def test_a_config_of_absurd_size_allocates_nothing(saved: Path, tmp_path: Path) -> None:
    folder = damaged(saved, tmp_path)
    fields = json.loads((folder / "config.json").read_text()) | {"hidden_size": 2**40}
    (folder / "config.json").write_text(json.dumps(fields))
    with pytest.raises(LabError, match="tensors do not fit"):
        from_hf(folder)


def test_saving_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Stored notebook outputs stay free of progress bars; the caller's setting is given back."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    save_hf(HybridLM(TINY), tmp_path / "quiet")
    assert capfd.readouterr() == ("", "")
    assert logging.is_progress_bar_enabled() == shown
