"""Trials: what each stage of local distillation scores, and fusion against whole models."""

from dataclasses import replace
from pathlib import Path

import pytest
import tiny_puzzle
from tiny_puzzle import choice

from nemo_lab.compression.puzzle.child import assemble
from nemo_lab.compression.puzzle.fusion import fuse
from nemo_lab.compression.puzzle.parent import load_parent
from nemo_lab.compression.puzzle.parts import Option
from nemo_lab.compression.puzzle.scores import Reference, read_scores, slots_of_layer, true_scores
from nemo_lab.errors import LabError
from nemo_lab.studies.puzzle_nas import trials
from nemo_lab.studies.puzzle_nas.runs import recipe_of
from tests.recorders import record


def test_trials_are_the_mean_score_of_each_stage(puzzle_lab):
    folder, _, layer_folders = puzzle_lab
    scores = read_scores(layer_folders)
    found = trials.trial_scores(folder / "trials", layer_folders, [1, 2])
    assert [option.name for option in found] == ["attention.1", "attention.linear", "ffn.12", "ffn.linear"]
    half, line = Option("ffn", 12), Option("ffn", "linear")
    assert found[half]["solved"] == pytest.approx((scores[3][half]["kl"] + scores[5][half]["kl"]) / 2)
    for stage in ("start", "trained"):
        kls = [slots_of_layer(folder / "trials" / stage, layer)[1][line]["kl"] for layer in (1, 2)]
        assert found[line][stage] == pytest.approx(sum(kls) / 2)
    assert len(set(found[half].values())) == 3


def test_fusion_trial_against_models(puzzle_lab):
    folder, texts, layer_folders = puzzle_lab
    parent = load_parent(folder / "llama", 3)
    reference = Reference.of(parent, texts.scores_NL)
    found = trials.fusion_trial(parent, reference, 0, 2)
    bare = assemble(parent, choice(3, 24, 0, 24, 3, 24), layer_folders)
    without = assemble(parent, choice(3, 0, 0, 24, 3, 24), layer_folders)
    fused = fuse(bare, 0, 1)
    for name, model in {"sequential": bare, "dropped": without, "fused": fused}.items():
        assert found[name] == pytest.approx(true_scores(model, reference)["kl"], rel=0.05), name


@pytest.mark.parametrize(("first", "count"), [(-1, 2), (0, 1), (1, 3), (0, 0)])
def test_no_run_of_layers(puzzle_lab, first, count):
    folder, texts, _ = puzzle_lab
    parent = load_parent(folder / "llama", 3)
    with pytest.raises(LabError, match="no run of at least two of 3"):
        trials.fusion_trial(parent, Reference.of(parent, texts.scores_NL), first, count)


# --- which text and recipe reach what


def test_trials_differ_in_their_training_alone(monkeypatch):
    parent = tiny_puzzle.stand_in(monkeypatch, trials)
    built, scored = (record(monkeypatch, trials, name) for name in ("build_library", "score_library"))
    trials.local_trials(Path("llama"), tiny_puzzle.Settings(), tiny_puzzle.NAMED, Path("out"), [2])
    recipe = recipe_of(tiny_puzzle.Settings())
    assert recipe.ridges
    start, trained = built.all("recipe")
    assert start == replace(recipe, ridges=())
    assert trained == replace(recipe, steps=3, lr=1e-3)
    assert built.all("folder") == scored.all("folder") == [Path("out/start"), Path("out/trained")]
    assert scored.all("recipe") == [start, trained]
    assert set(built.all("tokens_NL")) == {"library"}
    assert scored.all("reference") == [(parent, "scores")] * 2
    assert built.all("layers") == scored.all("layers") == [[2], [2]]


def test_stages_of_trials_are_read_from_their_own_folders(monkeypatch):
    kl = {"trials/start": 1.0, "trials/trained": 2.0, "other": 3.0, "own": 4.0}
    own, *others = Option("attention", 3), Option("attention", 1), Option("ffn", 12)
    read = record(
        monkeypatch,
        trials,
        "slots_of_layer",
        lambda folder, layer: [{own: {"kl": 0.0}, option: {"kl": layer + kl[str(folder)]}} for option in others],
    )
    found = trials.trial_scores(Path("trials"), [Path("other"), Path("own")], [1])
    assert set(read.all("layer")) == {1}
    assert found == {option: {"start": 2.0, "solved": 5.0, "trained": 3.0} for option in others}
