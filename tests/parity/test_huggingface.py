"""Our model against `transformers`' `nemotron_h` on the same weights, in float32.

The oracle shares no code with ours: another scan, another attention, another cache. Logits must agree to 1e-4
over random shapes, in both directions and through files, and greedy generation must give the same tokens.
"""

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.modeling.huggingface import EOS, PAD, config_from_hf, config_to_hf, from_hf, save_hf, to_hf

TOLERANCE = 1e-4
TINY = HybridConfig(
    pattern="M-M*-",
    vocab_size=61,
    d_model=32,
    d_ff=48,
    n_heads=4,
    n_kv_heads=2,
    head_dim=8,
    ssm_heads=4,
    ssm_head_dim=8,
    ssm_state=8,
    ssm_groups=2,
    chunk=16,
    init_std=0.3,
)


def random_config(seed: int) -> HybridConfig:
    """Any pattern with at least one layer of any kind, any sizes that divide."""
    r = random.Random(seed)
    groups, kv = r.choice([1, 2, 3, 4]), r.choice([1, 2, 3])
    return HybridConfig(
        pattern="".join(r.choice("MM*-") for _ in range(r.randint(1, 7))),
        vocab_size=r.randint(17, 90),
        d_model=r.choice([16, 24, 40]),
        d_ff=r.randint(8, 80),
        n_heads=kv * r.choice([1, 2, 3]),
        n_kv_heads=kv,
        head_dim=r.choice([4, 8, 14]),
        ssm_heads=groups * r.choice([1, 2, 3]),
        ssm_head_dim=r.choice([4, 8, 12]),
        ssm_state=r.choice([5, 8, 16]),
        ssm_groups=groups,
        conv_width=r.choice([2, 3, 4]),
        chunk=r.choice([4, 8, 16]),
        norm_eps=r.choice([1e-5, 1e-6]),
        init_std=0.3,
        dt_min=r.choice([0.0, 0.0, 0.02]),
    )


def random_model(config: HybridConfig, seed: int) -> HybridLM:
    """A model whose every parameter is random, norms and biases included, so that no swap goes unseen."""
    model = HybridLM(config, seed).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1 and not name.endswith(("A_log", "dt_bias")):
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
    return model


def random_tokens(config: HybridConfig, seed: int, rows: int = 2) -> torch.Tensor:
    """Tokens of a length that mostly is no multiple of the chunk."""
    length = random.Random(seed + 1000).randint(1, 45)
    return torch.randint(config.vocab_size, (rows, length), generator=torch.Generator().manual_seed(seed))


def error(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """Largest difference relative to the largest logit, at least one."""
    return float((ours - theirs).abs().max() / theirs.abs().max().clamp(min=1))


@pytest.mark.parametrize("seed", range(25))
@torch.no_grad()
def test_logits_agree_over_random_shapes(seed: int) -> None:
    config = random_config(seed)
    model, tokens = random_model(config, seed), random_tokens(config, seed)
    hf = to_hf(model)
    theirs = hf(tokens).logits
    assert error(model(tokens), theirs) < TOLERANCE
    assert sum(p.numel() for p in hf.parameters()) == model.parameter_count()
    back = from_hf(hf)
    assert back.config == config
    assert error(back(tokens), theirs) < TOLERANCE


@pytest.mark.parametrize("seed", range(4))
@torch.no_grad()
def test_foreign_model_opens(seed: int) -> None:
    """The other direction: weights that `transformers` made."""
    from transformers import NemotronHConfig, NemotronHForCausalLM

    config = random_config(seed).with_(init_std=0.1)
    torch.manual_seed(seed)
    hf = NemotronHForCausalLM(NemotronHConfig(**config_to_hf(config))).eval()
    tokens = random_tokens(config, seed)
    assert error(from_hf(hf)(tokens), hf(tokens).logits) < TOLERANCE


@torch.no_grad()
def test_saved_folder_opens_in_transformers(tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, NemotronHForCausalLM

    model, tokens = random_model(TINY, 0), random_tokens(TINY, 0)
    folder = save_hf(model, tmp_path / "checkpoint")
    hf = AutoModelForCausalLM.from_pretrained(folder).eval()
    assert isinstance(hf, NemotronHForCausalLM)
    assert torch.equal(hf(tokens).logits, to_hf(model)(tokens).logits)
    assert error(model(tokens), hf(tokens).logits) < TOLERANCE
    back = from_hf(folder)
    assert back.config == TINY
    assert torch.equal(back(tokens), model(tokens))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["checkpoint"]


def greedy(model: HybridLM, tokens: torch.Tensor, steps: int) -> torch.Tensor:
    """The whole sequence again for every token: slow, and nothing to get wrong."""
    for _ in range(steps):
        tokens = torch.cat([tokens, model(tokens)[:, -1:].argmax(-1)], dim=1)
    return tokens


@pytest.mark.parametrize("pattern", ["M-M*-", "*-*-", "MM", "M*M-*-"])
@torch.no_grad()
def test_greedy_tokens_agree(pattern: str) -> None:
    model = random_model(TINY.with_(pattern=pattern), 3)
    tokens = torch.randint(TINY.vocab_size, (3, 21), generator=torch.Generator().manual_seed(5))
    theirs = to_hf(model).generate(tokens, max_new_tokens=24, do_sample=False, pad_token_id=0)
    assert torch.equal(greedy(model, tokens, 24), theirs)
    assert len(theirs.unique()) > 3  # not one token over and over


@torch.no_grad()
def test_greedy_tokens_agree_with_our_generation() -> None:
    generation = pytest.importorskip("nemo_lab.modeling.generation")
    model = random_model(TINY, 3)
    tokens = torch.randint(TINY.vocab_size, (1, 21), generator=torch.Generator().manual_seed(5))
    theirs = to_hf(model).generate(tokens, max_new_tokens=24, do_sample=False, pad_token_id=0)
    ours = generation.generate(model, [tokens[0].tolist()], max_new_tokens=24)
    assert [*ours[0]] == theirs[0, 21:].tolist()


def test_gradients_of_the_loss_agree() -> None:
    model = random_model(TINY, 1).train()
    hf = to_hf(model).train()
    tokens = torch.randint(TINY.vocab_size, (2, 39), generator=torch.Generator().manual_seed(1))
    targets = torch.cat([tokens[:, 1:], torch.full((2, 1), -100)], dim=1)
    ours, theirs = model.loss(tokens, targets), hf(tokens, labels=tokens).loss
    assert ours.item() == pytest.approx(theirs.item(), rel=1e-6)
    ours.backward()
    theirs.backward()
    gradient_of = {name: p.grad for name, p in from_gradients(hf).named_parameters()}
    for name, parameter in model.named_parameters():
        difference = (parameter.grad - gradient_of[name]).norm() / gradient_of[name].norm()
        assert difference < 1e-4, name


def from_gradients(hf: Any) -> HybridLM:
    """Our model whose parameters have, as `grad`, the gradients of theirs."""
    values = from_hf(hf)
    with torch.no_grad():
        for parameter in hf.parameters():
            parameter.copy_(parameter.grad)
    for parameter, gradient in zip(values.parameters(), from_hf(hf).parameters(), strict=True):
        parameter.grad = gradient.detach()
    return values


@torch.no_grad()
def test_the_comparison_notices_swapped_groups() -> None:
    """The negative control: heads read the wrong group's B and C, and the logits must differ."""
    model = random_model(TINY, 0)
    tokens = torch.randint(TINY.vocab_size, (2, 30), generator=torch.Generator().manual_seed(0))
    theirs = to_hf(model)(tokens).logits
    mixer, c = model.blocks[0].mixer, TINY
    B_rows = slice(2 * c.d_inner, 2 * c.d_inner + c.ssm_groups * c.ssm_state)
    mixer.in_proj.weight[B_rows] = mixer.in_proj.weight[B_rows].roll(c.ssm_state, 0)
    assert error(model(tokens), theirs) > 100 * TOLERANCE


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


def test_saving_replaces_a_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    first, second = random_model(TINY, 0), random_model(TINY, 1)
    save_hf(first, tmp_path / "c")
    save_hf(second, tmp_path / "c")
    assert torch.equal(from_hf(tmp_path / "c").head.weight, second.head.weight)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("dear diary")
    with pytest.raises(LabError, match="is no checkpoint"):
        save_hf(first, tmp_path / "notes")
    assert (tmp_path / "notes" / "diary.txt").read_text() == "dear diary"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c", "notes"]


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


@torch.no_grad()
def test_bf16_shards_with_old_names_open(tmp_path: Path) -> None:
    """The published layout: `backbone.`, a pattern string, bfloat16, an index, tensors of MTP layers."""
    model, tokens = random_model(TINY, 0).bfloat16().float(), random_tokens(TINY, 0)
    tensors = {
        "backbone." + name.removeprefix("model.") if name.startswith("model.") else name: t.bfloat16()
        for name, t in to_hf(model).state_dict().items()
    }
    tensors["mtp.layers.0.norm.weight"] = torch.ones(3)
    names, weight_map = sorted(tensors), {}
    for i, part in enumerate((names[::2], names[1::2])):
        save_file({name: tensors[name] for name in part}, tmp_path / f"part-{i}.safetensors")
        weight_map |= dict.fromkeys(part, f"part-{i}.safetensors")
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": weight_map}))
    fields = config_to_hf(TINY) | {"hybrid_override_pattern": TINY.pattern, "attention_head_dim": 8}
    for gone in ("layers_block_type", "head_dim", "nemo_lab"):
        del fields[gone]
    (tmp_path / "config.json").write_text(json.dumps(fields))
    assert error(from_hf(tmp_path)(tokens), model(tokens)) < 1e-6


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


def test_rotary_positions_are_refused() -> None:
    with pytest.raises(LabError, match="rotary positions"):
        to_hf(HybridLM(TINY.with_(rope_theta=1e4)))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_hf(HybridLM(TINY), tmp_path_factory.mktemp("hf") / "good")


def damaged(saved: Path, folder: Path, **tensors: torch.Tensor | None) -> Path:
    """A copy of the good folder with tensors replaced, added or (None) removed; `__` stands for a point."""
    changed = load_file(saved / "model.safetensors")
    for name, tensor in tensors.items():
        changed.pop(name.replace("__", "."), None)
        if tensor is not None:
            changed[name.replace("__", ".")] = tensor
    save_file(changed, folder / "model.safetensors")
    (folder / "config.json").write_text((saved / "config.json").read_text())
    return folder


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


def test_damaged_folders_are_one_sentence(saved: Path, tmp_path: Path) -> None:
    folder = damaged(saved, tmp_path)
    weights, config = folder / "model.safetensors", folder / "config.json"
    whole = weights.read_bytes()
    for length in (0, 4, 100, len(whole) - 1):
        weights.write_bytes(whole[:length])
        with pytest.raises(LabError, match="is cut off or no safetensors file"):
            from_hf(folder)
    weights.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"never opened")
    with pytest.raises(LabError, match="does not exist; the checkpoint is incomplete"):
        from_hf(folder)
    for text, words in [("{", "cannot be read as JSON"), ("[]", "holds a list"), ("[" * 100_000, "as JSON")]:
        config.write_text(text)
        with pytest.raises(LabError, match=words):
            from_hf(folder)
    with pytest.raises(LabError, match="not a name on the hub"):
        from_hf("nvidia/Nemotron-H-8B-Base-8K")


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


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LabError, match=r"cannot be made .*; choose another folder"):
        save_hf(HybridLM(TINY), tmp_path / "file" / "model")


def test_a_config_of_absurd_size_allocates_nothing(saved: Path, tmp_path: Path) -> None:
    folder = damaged(saved, tmp_path)
    fields = json.loads((folder / "config.json").read_text()) | {"hidden_size": 2**40}
    (folder / "config.json").write_text(json.dumps(fields))
    with pytest.raises(LabError, match="tensors do not fit"):
        from_hf(folder)


def test_an_index_cannot_point_outside(saved: Path, tmp_path: Path) -> None:
    folder = damaged(saved, tmp_path)
    for name in ("../good/model.safetensors", "/etc/passwd", "weights.bin", ""):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
        with pytest.raises(LabError, match="of its own folder"):
            from_hf(folder)


def test_saving_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Stored notebook outputs stay free of progress bars; the caller's setting is given back."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    save_hf(HybridLM(TINY), tmp_path / "quiet")
    assert capfd.readouterr() == ("", "")
    assert logging.is_progress_bar_enabled() == shown
