"""Distillation of a child with checkpoints: it goes on bit for bit, and its folder is never taken for another's."""

import copy
from dataclasses import replace

import pytest
import tiny_puzzle
import torch

from nemo_lab.compression.puzzle import child as puzzle_child
from nemo_lab.compression.puzzle import distillation
from nemo_lab.compression.puzzle.library import distil
from nemo_lab.errors import LabError
from nemo_lab.training import NonFiniteLoss
from tests.interrupted import updates
from tests.recorders import assert_seed_decides

HOW = {"steps": 9, "lr": 3e-3, "points": (0, 3, 6, 9), "checkpoint_every": 2, "progress": False}


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """A child that is its parent with other weights in one place, and the parent's record."""
    parent, file = tiny_puzzle.parent(), tmp_path_factory.mktemp("record") / "record.safetensors"
    text = tiny_puzzle.rows(20, seed=3).view(5, 4, 16)
    distillation.record_parent(parent, text, tiny_puzzle.rows(8, seed=4), 2, file)
    record = distillation.read_record(file, parent.lm_head)
    child = tiny_puzzle.parent()
    with torch.no_grad():
        child.model.layers[1].mlp.down_proj.weight.mul_(0.5)
    return child, record


def distilled(lab, folder, **changes):
    child = puzzle_child.cast(copy.deepcopy(lab[0]), torch.float32)
    return distillation.distil_child(child, lab[1], **(HOW | {"folder": folder} | changes)), child


def test_an_interrupted_distillation_goes_on_bit_for_bit(lab, tmp_path):
    with updates(distillation, before=6):
        distilled(lab, tmp_path)
    with updates(distillation) as taken:
        rows, child = distilled(lab, tmp_path)
    assert taken == [5, 6, 7, 8, 9]
    expected, whole = distilled(lab, None)
    assert rows == expected
    assert all(torch.equal(a, b) for a, b in zip(child.parameters(), whole.parameters(), strict=True))
    assert distilled(lab, tmp_path)[0] == expected


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"lr": 1e-3}, "settings.peak_lr=0.003, now it is 0.001"),
        ({"objective": "kl"}, r"how.objective='kl\+cosine', now it is 'kl'"),
        ({"shuffled": True}, "how.shuffled=False, now it is True"),
        ({"points": (0, 9)}, "how.points="),
    ],
)
def test_a_folder_of_another_distillation_is_refused(lab, tmp_path, changes, said):
    distilled(lab, tmp_path, steps=2, points=(0, 2))
    with pytest.raises(LabError, match=said):
        distilled(lab, tmp_path, **({"steps": 2, "points": (0, 2)} | changes))


def test_a_folder_knows_its_record_and_the_weights_it_began_from(lab, tmp_path):
    child, record = lab
    distilled(lab, tmp_path, steps=2, points=())
    hidden = record.hidden_SBLD.clone()
    hidden[4, 0, 0, 0] += 1
    with pytest.raises(LabError, match="has record="):
        distilled((child, replace(record, hidden_SBLD=hidden)), tmp_path, steps=2, points=())
    with pytest.raises(LabError, match="has begins="):
        distilled((tiny_puzzle.parent(), record), tmp_path, steps=2, points=())


def test_a_part_of_the_library_with_a_broken_gradient_is_no_result():
    part = torch.nn.Linear(4, 4)
    part.weight.register_hook(lambda gradient: gradient * float("nan"))
    inputs = torch.ones(4, 2, 4)
    recipe = replace(tiny_puzzle.RECIPE, steps=2)
    with pytest.raises(NonFiniteLoss, match="not finite at update 1"):
        distil(part, "ffn", inputs, inputs, {}, recipe, 0)


def test_the_seed_decides_which_rows_a_part_of_the_library_is_trained_on():
    inputs = tiny_puzzle.rows(12, seed=5)[:, :4].float() / 10

    def trained(seed):
        part = torch.nn.Linear(4, 4)
        torch.nn.init.eye_(part.weight)
        torch.nn.init.zeros_(part.bias)
        recipe = replace(tiny_puzzle.RECIPE, steps=3)
        return distil(part, "ffn", inputs[:, None], -inputs[:, None], {}, recipe, seed).weight.tolist()

    assert_seed_decides(trained)
