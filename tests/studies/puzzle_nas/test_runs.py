"""The jobs of notebook 08 on a tiny Llama in a folder: text, library, choices, children, fusion."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_puzzle
import torch
from tiny_puzzle import choice

from nemo_lab.compression.puzzle import distillation, search
from nemo_lab.compression.puzzle import parent as puzzle_start
from nemo_lab.compression.puzzle.child import cast
from nemo_lab.compression.puzzle.distillation import read_record
from nemo_lab.compression.puzzle.model import PuzzleForCausalLM
from nemo_lab.compression.puzzle.scores import read_scores, walk_layers
from nemo_lab.errors import LabError
from nemo_lab.studies.puzzle_nas import runs
from tests.recorders import record, spy


def timed(slots):
    """Slots with a runtime that grows with the distance of the option from the last."""
    return [
        {
            name: {**numbers, "ms": float(len(options) - at), "parameters": float(len(options) - at)}
            for at, (name, numbers) in enumerate(options.items())
        }
        for options in slots
    ]


def test_the_parent_is_the_llama_with_fewer_layers(puzzle_lab):
    parent, tokens = puzzle_start.load_parent(puzzle_lab[0] / "llama", 3), tiny_puzzle.rows(2)
    whole = cast(tiny_puzzle.parent(), torch.bfloat16)
    _, streams = walk_layers(whole, tokens, [2])
    torch.testing.assert_close(walk_layers(parent, tokens)[0], whole.model.norm(streams[0]))
    assert parent.model.rotary_emb.inv_freq.dtype == torch.float32
    assert parent.config.blocks == [[3, 24]] * 3
    assert puzzle_start.load_parent(puzzle_lab[0] / "llama", 3) is parent


def test_a_library_in_parts_is_whole(puzzle_lab):
    folder, _, layer_folders = puzzle_lab
    assert sorted(file.name for file in (folder / "part1").iterdir()) == ["layer-001.safetensors", "scores-001.json"]
    options = [list(one) for one in read_scores(layer_folders)]
    assert options == [list(tiny_puzzle.RECIPE.attention), list(tiny_puzzle.RECIPE.ffn)] * 3


def test_rows_of_text():
    class Tokenizer:
        def __call__(self, text, truncation, max_length):
            return {"input_ids": [ord(letter) for letter in text][:max_length]}

    sources = {"a": ["a" * 10] * 9, "b": ["b" * 40] * 9}
    rows = runs.rows_of(sources, Tokenizer(), 6, 8, seed=0)
    assert rows.shape == (6, 8)
    letters = [chr(int(row.mode().values)) for row in rows]
    assert sorted(letters) == ["a"] * 3 + ["b"] * 3
    assert torch.equal(rows, runs.rows_of(sources, Tokenizer(), 6, 8, seed=0))
    with pytest.raises(LabError, match="a has 108 tokens"):
        runs.rows_of(sources, Tokenizer(), 40, 8, seed=0)


def test_choices_and_their_true_kl(puzzle_lab):
    folder, texts, layer_folders = puzzle_lab
    slots = timed(read_scores(layer_folders))
    limits = {"ms": 18.0}
    made = runs.choices(slots, limits, seed=0)
    assert set(made) == set(runs.METHODS)
    assert all(search.fits(slots, choice, limits) for choice in made.values())
    likely = runs.likely_choice(slots, limits, np.random.default_rng(0))
    assert search.total(slots, likely, "kl") >= search.total(slots, made["search"], "kl")
    found = runs.true_kl(
        folder / "llama",
        tiny_puzzle.Settings(),
        texts.scores_NL,
        [choice(3, 24, 3, 24, 3, 24), made["random"]],
        layer_folders,
    )
    assert found[0]["kl"] == pytest.approx(0, abs=1e-4)
    assert found[1]["kl"] > 0.01
    with pytest.raises(LabError, match="never meet the limits"):
        runs.likely_choice(slots, {"ms": 5.0}, np.random.default_rng(0))


def test_a_child_from_job_to_folder(puzzle_lab):
    folder, _, layer_folders = puzzle_lab
    chosen = choice(3, 24, 1, 12, 0, 24)
    out = folder / "child"
    outcome = runs.one_child(folder / "llama", tiny_puzzle.Settings(), chosen, layer_folders, folder, points=2, out=out)
    assert [row["tokens"] for row in outcome.rows] == [0, 3 * 32, 6 * 32]
    assert outcome.recovered == pytest.approx(1 - outcome.after["loss"] / outcome.before["loss"])
    assert outcome.worse(outcome.after) == pytest.approx(outcome.after["loss"] / outcome.parent_loss)
    parent = puzzle_start.load_parent(folder / "llama", 3)
    record = read_record(folder / runs.RECORD, parent.lm_head)
    assert outcome.parent_loss == record.held_out.loss
    assert record.behind == (1,)
    again = PuzzleForCausalLM.from_pretrained(out)
    assert again.config.blocks == [[3, 24], [1, 12], [0, 24]]


@pytest.mark.parametrize(("rows", "length", "sources"), [(0, 8, {"a": ["x"]}), (2, 0, {"a": ["x"]}), (2, 8, {})])
def test_no_text_is_refused(rows, length, sources):
    with pytest.raises(LabError, match="give at least one of each"):
        runs.rows_of(sources, None, rows, length, seed=0)


def test_what_no_job_can_do(puzzle_lab):
    folder, _, layer_folders = puzzle_lab
    with pytest.raises(LabError, match="points is 0"):
        runs.one_child(folder / "llama", tiny_puzzle.Settings(), choice(*[3, 24] * 3), layer_folders, folder, points=0)
    with pytest.raises(LabError, match="no record"):
        runs.one_child(folder / "llama", tiny_puzzle.Settings(), choice(*[3, 24] * 3), layer_folders, folder / "part0")


def test_a_child_that_is_its_parent_recovers_nothing():
    row = {"tokens": 0.0, "kl": 0.0, "cosine": 0.0, "loss": 0.0}
    with pytest.raises(LabError, match="nothing can be given back"):
        _ = runs.PuzzleOutcome([row, row], 2.0).recovered


# --- which text reaches what


@pytest.fixture
def parent(monkeypatch):
    """A parent in the place of the one in the folder llama."""
    return tiny_puzzle.stand_in(monkeypatch, runs)


def test_a_library_is_fitted_to_one_text_and_scored_on_another(parent, monkeypatch):
    built, scored = (record(monkeypatch, runs, name) for name in ("build_library", "score_library"))
    runs.library_part(Path("llama"), tiny_puzzle.Settings(), tiny_puzzle.NAMED, Path("out"), 1, 2)
    assert built.calls[0]["tokens_NL"] == "library"
    assert scored.only("reference") == (parent, "scores")
    for calls in (built, scored):
        assert calls.only("model") is parent
        assert list(calls.only("layers")) == [1]
        assert calls.only("folder") == Path("out")
        assert calls.only("recipe") == runs.recipe_of(tiny_puzzle.Settings())


def test_the_record_holds_the_text_to_distil_and_the_text_held_out(parent, monkeypatch):
    written = record(monkeypatch, runs, "record_parent")
    runs.recorded(Path("llama"), tiny_puzzle.Settings(), tiny_puzzle.NAMED, Path("out"))
    assert written.only("parent") is parent
    assert (written.only("tokens_SBL"), written.only("held_out_NL")) == ("distil", "held out")
    assert (written.only("every"), written.only("file")) == (2, Path("out") / runs.RECORD)


def test_true_kl_is_of_the_text_given(parent, monkeypatch):
    made = record(monkeypatch, runs, "assemble", lambda parent, choice, folders: ("child", choice, folders))
    scored = record(monkeypatch, runs, "true_scores", lambda model, reference: {"kl": len(model[1])})
    found = runs.true_kl(Path("llama"), tiny_puzzle.Settings(), "text", [["a"], ["b", "c"]], ["places"])
    assert found == [{"kl": 1}, {"kl": 2}]
    assert scored.all("reference") == [(parent, "text")] * 2
    assert made.all("layer_folders") == [["places"]] * 2


@pytest.mark.parametrize("shuffled", [False, True])
def test_a_child_is_distilled_as_it_was_asked_for(parent, monkeypatch, shuffled):
    child = SimpleNamespace(model=SimpleNamespace(layers="own layers", norm="own norm"))
    made = record(monkeypatch, runs, "assemble", child)
    record(monkeypatch, runs, "cast", lambda module, dtype: module)
    known = SimpleNamespace(held_out=SimpleNamespace(loss=2.0))
    read = record(monkeypatch, runs, "read_record", known)
    distilled = record(monkeypatch, runs, "distil_child", ["rows"])
    outcome = runs.one_child(
        Path("llama"), tiny_puzzle.Settings(), ["c"], ["p"], Path("r"), objective="kl", shuffled=shuffled, points=3
    )
    assert (made.only("parent"), made.only("choice"), made.only("layer_folders")) == (parent, ["c"], ["p"])
    assert (read.only("file"), read.only("head")) == (Path("r") / runs.RECORD, "head")
    assert (distilled.only("child"), distilled.only("record")) == (child, known)
    assert (distilled.only("objective"), distilled.only("shuffled")) == ("kl", shuffled)
    assert (distilled.only("steps"), distilled.only("lr"), distilled.only("points")) == (6, 1e-3, [0, 2, 4, 6])
    assert outcome == runs.PuzzleOutcome(["rows"], 2.0)


def test_methods_are_asked_under_the_same_limits_and_the_control_is_random(puzzle_lab, monkeypatch):
    slots, limits = timed(read_scores(puzzle_lab[2])), {"ms": 18.0}
    solved, greedy, uniform, drawn = (
        spy(monkeypatch, search, name) for name in ("solve", "greedy", "uniform", "random_choice")
    )
    made = runs.choices(slots, limits, seed=7)
    assert [call["objective"] for call in solved.calls[:1]] == ["kl"]
    assert (solved.calls[-1]["objective"], solved.calls[-1]["maximise"]) == ("parameters", True)
    for recorder in (solved, greedy, uniform, drawn):
        assert all(limit == limits for limit in recorder.all("limits"))
    assert greedy.only("objective") == uniform.only("objective") == "kl"
    again = search.random_choice(slots, limits, np.random.default_rng(7))
    assert made["random"] == again
    draws = {tuple(runs.choices(slots, limits, seed)["random"]) for seed in range(6)}
    assert len(draws) > 2, "another seed draws another architecture"
    upside_down = [{name: {**of, "kl": -of["kl"]} for name, of in options.items()} for options in slots]
    assert runs.choices(upside_down, limits, seed=7)["random"] == made["random"], "it does not look at scores"


def test_a_likely_choice_is_the_best_of_a_random_half(puzzle_lab, monkeypatch):
    slots, limits = timed(read_scores(puzzle_lab[2])), {"ms": 18.0}
    solved = spy(monkeypatch, search, "solve")
    for seed in range(12):
        runs.likely_choice(slots, limits, np.random.default_rng(seed))
    offered = [[tuple(options) for options in some] for some in solved.all("slots")]
    assert set(solved.all("objective")) == {"kl"}
    assert all(one[0] == next(iter(whole)) for some in offered for one, whole in zip(some, slots, strict=True))
    others = [len(one) - 1 for some in offered for one in some]
    assert 0.35 < sum(others) / (3 * len(others)) < 0.65
    assert len(set(map(str, offered))) == len(offered)


def test_rows_depend_on_the_seed():
    class Tokenizer:
        def __call__(self, text, truncation, max_length):
            return {"input_ids": [ord(letter) for letter in text][:max_length]}

    sources = {"a": [letter * 40 for letter in "abcdefgh"], "b": [letter * 40 for letter in "ijklmnop"]}
    rows = [runs.rows_of(sources, Tokenizer(), 6, 8, seed) for seed in range(4)]
    assert len({tuple(map(tuple, one.tolist())) for one in rows}) == 4


def test_shuffled_answers_belong_to_other_positions(puzzle_lab):
    """The control of distillation: no position keeps its own answer, and all have one."""
    known = read_record(puzzle_lab[0] / runs.RECORD, puzzle_start.load_parent(puzzle_lab[0] / "llama", 3).lm_head)
    order = distillation._order(known).tolist()
    assert sorted(order) == list(range(known.tokens_SBL[0].numel()))
    assert all(place != other for place, other in enumerate(order))
    assert len({place - other for place, other in enumerate(order)}) > 3, "it is no shift, which a model could learn"


def test_the_distillation_s_control_reaches_its_loss(puzzle_lab, monkeypatch):
    known = read_record(puzzle_lab[0] / runs.RECORD, puzzle_start.load_parent(puzzle_lab[0] / "llama", 3).lm_head)
    child = tiny_puzzle.parent(num_hidden_layers=3)
    asked = spy(monkeypatch, distillation, "distillation_loss")
    for shuffled in (False, True):
        distillation.distil_child(child, known, steps=2, lr=1e-3, shuffled=shuffled, progress=False)
    ours, control = asked.all("order_T")[:2], asked.all("order_T")[2:]
    assert ours == [None, None]
    assert all(order is not None for order in control)
    assert asked.all("step") == [0, 1, 0, 1]
