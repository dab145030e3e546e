"""The parent out of a folder, and a killed job that goes on."""

import json
import shutil

import pytest
import tiny_puzzle
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

from nemo_lab.compression.puzzle import parent as puzzle_start
from nemo_lab.errors import LabError
from nemo_lab.progress import quiet

SMALL = {key: value for key, value in tiny_puzzle.SIZES.items() if key not in ("head_dim", "initializer_range")}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with a tiny Llama of four layers."""
    place = tmp_path_factory.mktemp("llama")
    with quiet():
        tiny_puzzle.llama().save_pretrained(place)
    return place


def test_the_parent_has_the_first_layers(folder):
    parent, whole = puzzle_start.open_parent(folder, 2), tiny_puzzle.llama()
    assert len(parent.model.layers) == 2
    assert parent.dtype == torch.bfloat16
    assert not parent.training
    own = whole.model.layers[1].mlp.up_proj.weight.bfloat16()
    assert torch.equal(parent.model.layers[1].mlp.up_proj.weight, own)


@pytest.mark.parametrize("layers", [-1, 0, 5])
def test_layers_that_the_folder_lacks_are_not_made_up(folder, layers):
    with pytest.raises(LabError, match=f"layers is {layers}, expected 1 to 4"):
        puzzle_start.open_parent(folder, layers)


def test_folders_without_a_whole_model(folder, tmp_path):
    with pytest.raises(LabError, match=r"no config\.json"):
        puzzle_start.open_parent(tmp_path / "missing", 3)
    shutil.copy(folder / "config.json", tmp_path)
    with pytest.raises(LabError, match="cannot be read"):
        puzzle_start.open_parent(tmp_path, 3)
    (tmp_path / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes()[:1000])
    with pytest.raises(LabError, match="cannot be read"):
        puzzle_start.open_parent(tmp_path, 3)
    for text in ('{"model_type": ', "[]", ""):
        (tmp_path / "config.json").write_text(text)
        with pytest.raises(LabError, match=r"no config\.json that can be read"):
            puzzle_start.open_parent(tmp_path, 3)


def test_a_folder_that_claims_more_layers_than_it_holds(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 6}))
    with quiet(remarks=True), pytest.raises(LabError, match="lacks 18 weights"):
        puzzle_start.open_parent(tmp_path, 6)


def test_models_that_only_look_like_a_llama(tmp_path):
    with quiet():
        Qwen2ForCausalLM(Qwen2Config(**SMALL)).save_pretrained(tmp_path / "qwen")
        LlamaForCausalLM(LlamaConfig(**SMALL, attention_bias=True)).save_pretrained(tmp_path / "bias")
    with pytest.raises(LabError, match="'qwen2', expected 'llama'"):
        puzzle_start.open_parent(tmp_path / "qwen", 3)
    with pytest.raises(LabError, match="has biases"):
        puzzle_start.open_parent(tmp_path / "bias", 3)
