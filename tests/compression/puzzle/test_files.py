"""A library's files: what is read is what was built, names stay, and damage is one sentence."""

import json

import pytest
import tiny_puzzle
import torch
from damage import DAMAGE, damaged
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nemo_lab.compression.puzzle import files, library
from nemo_lab.compression.puzzle.parts import Option, forward, walk
from nemo_lab.errors import LabError


def test_a_library_on_disk_is_the_one_in_memory(tmp_path):
    model, tokens = tiny_puzzle.parent(), tiny_puzzle.rows()
    library.build_library(model, tokens, tiny_puzzle.RECIPE, tmp_path, [1], progress=False)
    assert [file.name for file in tmp_path.iterdir()] == ["layer-001.safetensors"]
    visits = [visit for visit in walk(model, tokens) if visit.layer == 1]
    for visit in visits:
        for option, made, errors in library.alternatives(
            model.model.layers[1], visit, model.config, tiny_puzzle.RECIPE
        ):
            read = files.read_part(tmp_path, 1, option, model.config, torch.float32)
            x = torch.randn(1, 16, 36)
            assert torch.equal(forward(read, visit.kind, x, visit.context), forward(made, visit.kind, x, visit.context))
            assert files.read_errors(tmp_path, 1)[option] == errors
    with pytest.raises(LabError, match=r"no 'layer-002\.safetensors' in the library .*; build it first"):
        files.read_part(tmp_path, 2, Option("ffn", 12), model.config, torch.float32)


def test_names_on_disk_stay(tmp_path):
    """A library that an earlier version built must still open: these names are its format."""
    model = tiny_puzzle.parent()
    library.build_library(model, tiny_puzzle.rows(), tiny_puzzle.RECIPE, tmp_path, [1], progress=False)
    with safe_open(tmp_path / "layer-001.safetensors", "pt") as stored:
        errors = json.loads(stored.metadata()["errors"])
        names = set(stored.keys())
    assert list(errors) == ["attention.1", "attention.linear", "ffn.12", "ffn.linear"]
    assert set(errors["ffn.12"]) == {"start", "solved"}
    heads = {f"attention.1.{name}_proj.weight" for name in "qkvo"}
    width = {f"ffn.12.{name}_proj.weight" for name in ("gate", "up", "down")}
    assert names == {*heads, *width, "attention.linear.proj.weight", "ffn.linear.proj.weight"}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_one_sentence(tmp_path, kind):
    model = tiny_puzzle.parent()
    library.build_library(model, tiny_puzzle.rows(), tiny_puzzle.RECIPE, tmp_path, [1], progress=False)
    damaged(tmp_path / "layer-001.safetensors", kind)
    with pytest.raises(LabError, match=r"is damaged or no file of a library .*; remove it and build it again") as error:
        files.read_errors(tmp_path, 1)
    assert "\n" not in str(error.value)
    if kind in ("cut", "text", "empty"):
        with pytest.raises(LabError, match=r"is damaged or no file of a library"):
            files.read_part(tmp_path, 1, Option("ffn", 12), model.config, torch.float32)


def test_weights_that_are_not_this_models(tmp_path):
    model, half = tiny_puzzle.parent(), Option("ffn", 12)
    library.build_library(model, tiny_puzzle.rows(), tiny_puzzle.RECIPE, tmp_path, [1], progress=False)
    file = tmp_path / "layer-001.safetensors"
    whole = load_file(file)
    lacking = {name: tensor for name, tensor in whole.items() if name != "ffn.12.up_proj.weight"}
    other = whole | {"ffn.12.up_proj.weight": torch.zeros(13, 36)}
    more = whole | {"ffn.12.extra.weight": torch.zeros(1)}
    for wrong in (lacking, other, more):
        save_file(wrong, file)
        with pytest.raises(LabError, match=r"ffn\.12 in .* has weights of .* remove the file and build"):
            files.read_part(tmp_path, 1, half, model.config, torch.float32)
    for absent in (Option("ffn", 6), Option("ffn", 0), Option("attention", 12)):
        with pytest.raises(LabError, match=rf"has no {absent} of layer 1; build it with this option"):
            files.read_part(tmp_path, 1, absent, model.config, torch.float32)
