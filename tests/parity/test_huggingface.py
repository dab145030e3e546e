"""Our model against `transformers`' `nemotron_h` on the same weights, in float32.

The oracle shares no code with ours: another scan, another attention, another cache. Logits must agree to 1e-4
over random shapes, in both directions and through files, and greedy generation must give the same tokens.
"""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from nemo_lab.modeling import HybridLM
from nemo_lab.modeling.huggingface import config_to_hf, from_hf, save_hf, to_hf
from tests.modeling.official import official_folder
from tests.modeling.random_model import TINY, random_config, random_model, random_tokens

TOLERANCE = 1e-4


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


@pytest.mark.parametrize("pattern", ["M-M*-", "M-*M-", "-M*"])
@torch.no_grad()
def test_a_published_folder_opens_here_and_in_transformers_to_the_same_logits(pattern: str, tmp_path: Path) -> None:
    """Names and fields as NVIDIA publishes them, written by hand; the oracle is `transformers`' own reading."""
    from transformers import AutoModelForCausalLM

    model = random_model(TINY.with_(pattern=pattern, dt_min=1e-3), 0)
    tokens = random_tokens(TINY, 0)
    folder = official_folder(tmp_path, model, head_dim=TINY.head_dim)  # `transformers` knows only this name
    hf, loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    assert not loaded["missing_keys"]
    assert not loaded["unexpected_keys"]
    ours = from_hf(folder)
    assert ours.config.pattern == pattern
    assert error(ours(tokens), hf.eval()(tokens).logits) < TOLERANCE
    assert error(ours(tokens), model.bfloat16().float()(tokens)) < TOLERANCE
