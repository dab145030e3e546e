"""Local distillation: the solution is the least-squares one, errors fall, and a killed run ends with the same table."""

import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import killed_library
import pytest
import tiny_puzzle
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from nemo_lab.compression.puzzle import library
from nemo_lab.compression.puzzle.files import read_errors
from nemo_lab.compression.puzzle.model import LINEAR
from nemo_lab.compression.puzzle.parts import Option, walk
from nemo_lab.errors import LabError


@given(st.integers(0, 1000), st.floats(0.01, 10))
@settings(max_examples=25, deadline=None)
def test_refit_is_the_ridge_solution(seed, ridge):
    generator = torch.Generator().manual_seed(seed)
    x, o, start = (torch.randn(*shape, generator=generator) for shape in ((40, 6), (40, 3), (3, 6)))
    moments = library.Moments.of(x, o)
    found = library.refit(moments, moments, start, (ridge,))
    length = (o * (x @ start.T)).sum() / (x @ start.T).square().sum()
    weight = ridge * x.square().sum(0).mean()
    stacked = torch.cat([x, weight.sqrt() * torch.eye(6)])
    targets = torch.cat([o, weight.sqrt() * length * start.T])
    expected = torch.linalg.lstsq(stacked.double(), targets.double()).solution.T.float()
    torch.testing.assert_close(found, expected, atol=1e-3, rtol=1e-3)


def test_refit_keeps_what_it_cannot_improve():
    """Held-out tokens on which the solution is worse: the start at its best length stays."""
    x, o = torch.randn(8, 6), torch.randn(8, 3)
    good, start = library.Moments.of(torch.randn(200, 6), torch.zeros(200, 3)), torch.randn(3, 6)
    far = library.Moments(good.gram_FF, good.cross_FD, 1.0)
    found = library.refit(library.Moments.of(x, o), far, start, (1e-4,))
    torch.testing.assert_close(found / found[0, 0], start / start[0, 0], atol=1e-4, rtol=1e-4)


def test_error_from_moments_is_the_error():
    x, o, matrix = torch.randn(30, 6), torch.randn(30, 4), torch.randn(4, 6)
    from_moments = library.Moments.of(x, o).error(matrix)
    assert from_moments == pytest.approx(float(library.relative_error(o, x @ matrix.T)), rel=1e-4)


def test_relative_error_of_the_parent_and_of_silence():
    o = torch.randn(5, 4)
    assert library.relative_error(o, o) == 0
    assert library.relative_error(o, torch.zeros_like(o)) == 1


def test_errors_fall_and_adam_goes_on_where_solving_ends():
    model = tiny_puzzle.parent()
    recipe = replace(tiny_puzzle.RECIPE, steps=60, lr=3e-3)
    solved = trained = 0.0
    for visit in walk(model, tiny_puzzle.rows(32)):
        layer = model.model.layers[visit.layer]
        parent = layer.self_attn if visit.kind == "attention" else layer.mlp
        before = [weight.clone() for weight in parent.parameters()]
        for option, _, errors in library.alternatives(layer, visit, model.config, recipe):
            assert errors["solved"] <= min(errors["start"], 1.0) + 1e-6, (visit.layer, option)
            if option.size != LINEAR:  # of a linear part the solution is the best already
                solved, trained = solved + errors["solved"], trained + errors["trained"]
        assert all(torch.equal(a, b) for a, b in zip(before, parent.parameters(), strict=True))
    assert trained < 0.95 * solved


def test_recipes_are_made_of_sizes_as_numbers_or_as_text():
    recipe = library.LibraryRecipe.of(("3", "linear", "0"), (24, 12), steps=5)
    assert recipe == library.LibraryRecipe.of((3, "linear", 0), ("24", "12"), steps=5)
    assert recipe.options("attention") == (Option("attention", 3), Option("attention", LINEAR), Option("attention", 0))
    assert recipe.options("ffn") == recipe.ffn == (Option("ffn", 24), Option("ffn", 12))


@pytest.mark.parametrize("heads", [(), ("3", "1", "1"), (3, "3")])
def test_recipes_without_an_option_or_with_one_twice(heads):
    with pytest.raises(LabError, match="The options of attention are"):
        library.LibraryRecipe.of(heads, (24,))


def test_recipes_with_what_is_no_option_of_the_kind():
    with pytest.raises(LabError, match="'full' is no option of attention"):
        library.LibraryRecipe.of(("3", "full"), (24,))
    with pytest.raises(LabError, match="The options of ffn are attention"):
        library.LibraryRecipe((Option("attention", 3),), (Option("attention", 3),))


def changed_parent():
    model = tiny_puzzle.parent()
    with torch.no_grad():
        model.model.layers[3].mlp.down_proj.weight[0, 0] += 1
    return model


@pytest.mark.parametrize(
    ("named", "changes"),
    [
        ("recipe", {"recipe": replace(tiny_puzzle.RECIPE, ridges=())}),
        ("recipe", {"recipe": library.LibraryRecipe.of((3, 1), (24, 12))}),
        ("text", {"tokens_NL": tiny_puzzle.rows(seed=2)}),
        ("parent", {"model": changed_parent()}),
        ("seed", {"seed": 1}),
        ("recipe and text", {"recipe": replace(tiny_puzzle.RECIPE, steps=1), "tokens_NL": tiny_puzzle.rows(9)}),
    ],
)
@pytest.mark.parametrize("layer", [0, 1])  # the one that is there, and one that would stand beside it
def test_a_folder_of_another_library_is_refused(tmp_path, named, changes, layer):
    given = {"model": tiny_puzzle.parent(), "tokens_NL": tiny_puzzle.rows(), "recipe": tiny_puzzle.RECIPE}
    build = partial(library.build_library, folder=tmp_path, progress=False)
    build(**given, layers=[0])
    with pytest.raises(LabError, match=f"'layer-000.safetensors' in .* was built with another {named} than is given"):
        build(**given | changes, layers=[layer])
    assert [file.name for file in tmp_path.iterdir()] == ["layer-000.safetensors"]
    build(**given, layers=[0, 1])
    assert len(list(tmp_path.iterdir())) == 2


def test_a_layer_of_which_nobody_knows_how_it_was_built_is_read_and_not_added_to(tmp_path):
    model, file = tiny_puzzle.parent(), tmp_path / "layer-000.safetensors"
    build = partial(library.build_library, model, tiny_puzzle.rows(), tiny_puzzle.RECIPE, tmp_path, progress=False)
    build([0])
    errors = read_errors(tmp_path, 0)
    with safe_open(file, "pt") as stored:
        metadata = {"errors": stored.metadata()["errors"]}
    save_file(load_file(file), file, metadata=metadata)
    assert read_errors(tmp_path, 0) == errors
    with pytest.raises(LabError, match="another recipe and text and parent and seed"):
        build([1])


def test_a_damaged_layer_is_not_built_around(tmp_path):
    (tmp_path / "layer-002.safetensors").write_bytes(b"no tensors")
    with pytest.raises(LabError, match="is damaged or no file of a library"):
        library.build_library(
            tiny_puzzle.parent(), tiny_puzzle.rows(), tiny_puzzle.RECIPE, tmp_path, [0], progress=False
        )


@pytest.mark.parametrize("stage", ["library", "scores"])
def test_a_killed_run_resumes_and_gives_the_same_table(tmp_path, stage):
    whole = killed_library.build(tmp_path / "whole")
    script = Path(killed_library.__file__)
    command = [sys.executable, str(script), str(tmp_path / "killed"), stage]
    done = subprocess.run(command, capture_output=True, cwd=script.parent, check=False)
    assert done.returncode == -9, done.stderr
    kept = {file.name: file.stat().st_mtime_ns for file in (tmp_path / "killed").iterdir() if file.suffix != ".tmp"}
    assert 0 < len(kept) < 8
    assert killed_library.build(tmp_path / "killed") == whole
    assert all((tmp_path / "killed" / name).stat().st_mtime_ns == time for name, time in kept.items())
