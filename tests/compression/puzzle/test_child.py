"""Children: assembled as chosen, distilled towards the parent and not without reason."""

import pytest
import tiny_puzzle
import torch
from safetensors.torch import load_file, save_file
from tiny_puzzle import choice

from nemo_lab.compression.puzzle import child as puzzle_child
from nemo_lab.compression.puzzle import costs, distillation
from nemo_lab.compression.puzzle.files import read_part
from nemo_lab.compression.puzzle.library import build_library
from nemo_lab.compression.puzzle.parts import Option
from nemo_lab.errors import LabError

CHOICE = choice(3, 24, 1, 12, "linear", "linear", 0, 0)
OWN = choice(3, 24)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Parent, library and record."""
    folder = tmp_path_factory.mktemp("child")
    model = tiny_puzzle.parent()
    build_library(model, tiny_puzzle.rows(), tiny_puzzle.RECIPE, folder, progress=False)
    text = tiny_puzzle.rows(40, seed=3).view(10, 4, 16)
    distillation.record_parent(model, text, tiny_puzzle.rows(8, seed=4), 2, folder / "record.safetensors")
    return model, folder, distillation.read_record(folder / "record.safetensors", model.lm_head)


def test_assembled_as_chosen(lab):
    model, folder, _ = lab
    child = puzzle_child.assemble(model, CHOICE, [folder] * 4)
    assert child.config.blocks == [[3, 24], [1, 12], ["linear", "linear"], [0, 0]]
    stored, own = child.state_dict(), model.state_dict()
    assert all(
        torch.equal(stored[name], own[name])
        for name in own
        if ".layers.0." in name or ("norm.weight" in name and name in stored)
    )
    part = read_part(folder, 1, Option("ffn", 12), model.config, torch.float32)
    assert torch.equal(child.model.layers[1].mlp.down_proj.weight, part.down_proj.weight)
    counted = sum(costs.parameters(model.config, option) for option in CHOICE)
    assert sum(weight.numel() for weight in child.parameters()) == counted + 64 * 36 + 36


def test_the_parents_choice_is_the_parent(lab):
    model, folder, _ = lab
    tokens = tiny_puzzle.rows(2)
    assert torch.equal(puzzle_child.assemble(model, OWN * 4, [folder] * 4)(tokens).logits, model(tokens).logits)


def test_the_loss_of_the_parent_itself_is_zero(lab):
    model, _, record = lab
    assert distillation.distillation_loss(model, record, 3).item() == pytest.approx(0, abs=1e-5)
    assert distillation.distillation_loss(model, record, 3, order_T=distillation._order(record)).item() > 0.1
    moved = distillation._order(record)
    assert sorted(moved.tolist()) == list(range(64))
    assert not (moved == torch.arange(64)).any()


@pytest.mark.parametrize("objective", distillation.OBJECTIVES)
def test_distillation_recovers(lab, objective):
    model, folder, record = lab
    child = puzzle_child.assemble(model, CHOICE, [folder] * 4)
    frozen = child.lm_head.weight.clone()
    rows = distillation.distil_child(
        child, record, steps=40, lr=3e-3, objective=objective, points=(0, 20, 40), progress=False
    )
    assert [row["tokens"] for row in rows] == [0, 20 * 64, 40 * 64]
    if objective != "text":  # random text has nothing to say about the parent
        assert rows[2]["kl"] < rows[1]["kl"] < rows[0]["kl"]
        assert rows[2]["kl"] < 0.7 * rows[0]["kl"]
    assert torch.equal(child.lm_head.weight, frozen)


def test_shuffled_answers_teach_nothing(lab):
    model, folder, record = lab
    ends = []
    for shuffled in (False, True):
        child = puzzle_child.assemble(model, CHOICE, [folder] * 4)
        rows = distillation.distil_child(
            child, record, steps=40, lr=3e-3, shuffled=shuffled, points=(0, 40), progress=False
        )
        ends.append(rows[1]["kl"] / rows[0]["kl"])
    assert ends[0] < 0.7
    assert ends[1] > ends[0] + 0.2


def test_what_cannot_be_distilled(lab):
    model, folder, record = lab
    child = puzzle_child.assemble(model, CHOICE, [folder] * 4)
    with pytest.raises(LabError, match="Unknown objective 'mse'"):
        distillation.distil_child(child, record, steps=1, lr=1e-3, objective="mse")
    with pytest.raises(LabError, match="changed nothing"):
        distillation.distil_child(child, record, steps=1, lr=1e-30, progress=False)


def test_a_cast_keeps_the_frequencies_of_positions():
    model = puzzle_child.cast(tiny_puzzle.parent(), torch.bfloat16)
    assert model.dtype == torch.bfloat16
    assert torch.equal(model.model.rotary_emb.inv_freq, tiny_puzzle.parent().model.rotary_emb.inv_freq)
    assert model.lm_head.weight is model.model.embed_tokens.weight


@pytest.mark.parametrize(
    ("chosen", "folders", "message"),
    [
        (OWN * 3, 4, "6 options and 4 folders for 4 layers"),
        (OWN * 4, 1, "8 options and 1 folders for 4 layers"),
        ([*choice(1, 6), *OWN * 3], 4, r"no ffn\.6 of layer 0"),
        ([*OWN * 3, *OWN[::-1]], 4, r"ffn\.24, attention\.3; give two options a layer"),
        ([*OWN, OWN[0]], 4, "3 options and 4 folders"),
    ],
)
def test_choices_that_no_library_can_serve(lab, chosen, folders, message):
    model, folder, _ = lab
    with pytest.raises(LabError, match=message):
        puzzle_child.assemble(model, chosen, [folder] * folders)
    assert len(model.model.layers) == 4


@pytest.mark.parametrize("chosen", [choice(3, 24, 1), ["3", "24"], OWN[::-1]])
def test_choices_that_are_no_pairs(chosen):
    with pytest.raises(LabError, match="give two options a layer"):
        puzzle_child.blocks_of(chosen)


def test_blocks_are_the_sizes():
    assert puzzle_child.blocks_of(CHOICE) == [[3, 24], [1, 12], ["linear", "linear"], [0, 0]]
    assert puzzle_child.blocks_of([]) == []


def test_a_child_that_breaks_at_the_last_step_is_no_result(lab):
    model, folder, record = lab
    child = puzzle_child.assemble(model, CHOICE, [folder] * 4)
    with pytest.raises(LabError, match=r"lower lr"):
        distillation.distil_child(child, record, steps=1, lr=1e30, points=(1,), progress=False)


def test_a_damaged_record_is_one_sentence(lab, tmp_path):
    model, folder, _ = lab
    whole, file = load_file(folder / "record.safetensors"), tmp_path / "record.safetensors"
    file.write_bytes((folder / "record.safetensors").read_bytes()[:5000])
    with pytest.raises(LabError, match=r"is damaged or no record of this parent .*; remove it and record it again"):
        distillation.read_record(file, model.lm_head)
    for wrong in ({"tokens": whole["tokens"]}, whole | {"hidden": whole["hidden"][..., :8].contiguous()}):
        save_file(wrong, file)
        with pytest.raises(LabError, match=r"is damaged or no record of this parent"):
            distillation.read_record(file, model.lm_head)
