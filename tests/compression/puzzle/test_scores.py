"""Scores against the assembled model itself, and against the textbook formulas."""

import copy
import dataclasses
import json
import shutil

import pytest
import tiny_puzzle
import torch
import torch.nn.functional as F
from damage import SCORES, damaged_scores

from nemo_lab.compression.puzzle import scores
from nemo_lab.compression.puzzle.child import assemble
from nemo_lab.compression.puzzle.library import build_library
from nemo_lab.compression.puzzle.parts import Option
from nemo_lab.errors import LabError


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    """Parent, reference, and a library with scores of layers 1 and 2; the others are not there."""
    folder = tmp_path_factory.mktemp("library")
    model, reference = tiny_puzzle.parent(), scores.Reference.of(tiny_puzzle.parent(), tiny_puzzle.rows(3, seed=2))
    build_library(model, tiny_puzzle.rows(), tiny_puzzle.RECIPE, folder, [1, 2], progress=False)
    scores.score_library(model, reference, tiny_puzzle.RECIPE, folder, [1, 2], progress=False)
    return model, reference, folder


def choice_with(slot, size):
    sizes = [3, 24] * 4
    return tiny_puzzle.choice(*sizes[:slot], size, *sizes[slot + 1 :])


def test_a_score_is_the_model_with_that_block(lab):
    model, reference, folder = lab
    for slot, kind in ((2, "attention"), (5, "ffn")):
        table = scores.slots_of_layer(folder, slot // 2)[slot % 2]
        own, *others = tiny_puzzle.RECIPE.options(kind)
        assert list(table) == [own, *others]
        for option in table:
            child = assemble(model, choice_with(slot, option.size), [folder] * 4)
            found = scores.true_scores(child, reference)
            assert table[option] == pytest.approx(found, abs=2e-5), (slot, option)
        assert table[own] == {"kl": 0.0, "cosine": 0.0, "loss": 0.0}
        assert table[Option(kind, 0)]["kl"] > 1e-3


def test_numbers_are_the_textbooks(lab):
    model, reference, folder = lab
    child, tokens = assemble(model, choice_with(3, 0), [folder] * 4), reference.tokens_NL
    with torch.no_grad():
        p, q = (torch.log_softmax(m(tokens).logits[:, :-1].double(), -1) for m in (model, child))
    found = scores.true_scores(child, reference)
    expected = F.kl_div(q, p, log_target=True, reduction="none").sum(-1).mean().item()
    assert found["kl"] == pytest.approx(expected, abs=1e-5)
    gathered = [(-m.gather(2, tokens[:, 1:, None])).mean().item() for m in (q, p)]
    assert found["loss"] == pytest.approx(gathered[0] - gathered[1], abs=1e-5)
    assert reference.loss == pytest.approx(gathered[1], abs=1e-5)
    assert scores.true_scores(model, reference) == pytest.approx({"kl": 0.0, "cosine": 0.0, "loss": 0.0}, abs=1e-5)


def test_logits_in_pieces_change_nothing(lab, monkeypatch):
    model, reference, folder = lab
    child = assemble(model, choice_with(3, 12), [folder] * 4)
    whole = scores.true_scores(child, reference)
    monkeypatch.setattr(scores, "ROWS", 7)
    pieces = scores.Reference.of(model, reference.tokens_NL)
    assert len(pieces.probabilities_TV) > len(reference.probabilities_TV)
    assert scores.true_scores(child, pieces) == pytest.approx(whole, abs=1e-5)


def test_missing_scores(lab):
    with pytest.raises(LabError, match="no scores of layer 0"):
        scores.read_scores([lab[2]] * 4)


def test_scores_on_disk_stay(lab):
    """A library that an earlier version scored must still open: kinds, sizes and names are its format."""
    found = json.loads((lab[2] / "scores-001.json").read_text())
    assert sorted(found.pop("origin")) == ["options", "parent", "text"]
    assert {kind: list(options) for kind, options in found.items()} == {
        "attention": ["3", "1", "linear", "0"],
        "ffn": ["24", "12", "linear", "0"],
    }
    assert list(found["ffn"]["12"]) == ["kl", "cosine", "loss"]


def test_scores_of_something_else_are_not_taken_over(lab, tmp_path):
    model, reference, folder = lab
    shutil.copytree(folder, tmp_path / "library")
    known = tmp_path / "library"
    scores.score_library(model, reference, tiny_puzzle.RECIPE, known, [1], progress=False)
    other_text = scores.Reference.of(model, tiny_puzzle.rows(4, seed=9))
    with pytest.raises(LabError, match=r"'scores-001.json' in .* has scores of another text than is given now; give"):
        scores.score_library(model, other_text, tiny_puzzle.RECIPE, known, [3], progress=False)
    other = copy.deepcopy(model)
    torch.nn.init.zeros_(other.model.norm.weight)
    with pytest.raises(LabError, match="of another parent than"):
        scores.score_library(other, reference, tiny_puzzle.RECIPE, known, progress=False)
    fewer = dataclasses.replace(tiny_puzzle.RECIPE, ffn=tiny_puzzle.RECIPE.ffn[:1])
    with pytest.raises(LabError, match="of another options than"):
        scores.score_library(model, reference, fewer, known, progress=False)
    assert {file.name for file in known.glob("scores-*")} == {"scores-001.json", "scores-002.json"}


@pytest.mark.parametrize("kind", SCORES)
def test_a_damaged_file_of_scores_is_one_sentence(lab, tmp_path, kind):
    file = tmp_path / "scores-001.json"
    shutil.copy(lab[2] / file.name, file)
    assert len(scores.slots_of_layer(tmp_path, 1)) == 2
    damaged_scores(file, kind)
    with pytest.raises(LabError, match=r"is damaged or no file of scores .*; remove it and score again") as error:
        scores.slots_of_layer(tmp_path, 1)
    assert "\n" not in str(error.value)
