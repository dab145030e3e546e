"""The experiment of one seed at a tiny size, and what it promises about its arms."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from nemo_lab.lab.scales import resolve
from nemo_lab.modeling.model import HybridLM
from nemo_lab.reasoning.retro.search import Traced
from nemo_lab.studies.retro_search import measures, rule_puzzles, runs
from nemo_lab.studies.retro_search.runs import SeedResult, one_seed
from tests.recorders import record, spy
from tests.studies.retro_search.tiny_study import POLICY, TINY


def test_every_arm_learns_from_the_same_questions(result: SeedResult) -> None:
    sizes = {len(data) for data in result.data.values()}
    assert len(sizes) == 1
    assert sizes.pop() > 5
    assert set(result.data) == set(result.outcomes)


def test_the_data_are_what_their_names_say(result: SeedResult) -> None:
    steps = {kind: sum(shape.steps for shape in data) for kind, data in result.data.items()}
    assert steps["originals"] == steps["originals, other seed"] == steps["student: revised by an untrained model"]
    for kind in ("Retro-Search", "shortest of n", "truncated", "cut"):
        assert steps[kind] < steps["originals"], kind
    assert result.costs["self"].after == pytest.approx(steps["Retro-Search"] / result.costs["self"].traces)


def test_baselines_spend_what_the_revision_spent(result: SeedResult) -> None:
    budget = result.costs["self"].tokens
    for kind, spent in result.spent.items():
        assert budget <= spent < 1.5 * budget + 2 * TINY.max_new_tokens, kind  # what a batch overshoots varies by CPU


def test_an_untrained_reviser_is_of_no_use_and_revisers_come_in_order(result: SeedResult) -> None:
    untrained = result.revisers[0][1]
    assert (untrained.accepted, untrained.before) == (0, untrained.after)
    assert len(result.revisers) == len(TINY.weak_steps)
    assert result.accuracy["reviser"] == result.revisers[-1][0]


def test_a_seed_gives_the_same_result_again(run_again: Callable[[], SeedResult], result: SeedResult) -> None:
    again = run_again()
    assert again.outcomes == result.outcomes
    assert again.costs == result.costs
    assert all(torch.equal(again.state[name], result.state[name]) for name in again.state)


def test_a_model_that_answers_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="answers no question"):
        one_seed(replace(TINY, steps=1), 7)


def test_taught_and_revised_questions_differ_from_those_for_judging() -> None:
    train, test = (runs.questions(TINY, 0, split, 50) for split in ("train", "test"))
    taught = {rule_puzzles.puzzle(0, "train", n, 2, 2).prompt for n in range(24 * 260)}
    assert not {item.prompt for item in test} & taught
    assert not {item.prompt for item in test} & {item.prompt for item in train}


# --- what reaches a seed's experiment


def test_a_model_is_taught_puzzles_of_training_by_its_seed(monkeypatch) -> None:
    trained = record(monkeypatch, runs, "train")
    for seed in (7, 8):
        policy = runs.teach(TINY, seed, TINY.d_model, 20, 1e-2)
        assert policy.model is trained.calls[-1]["model"]
        assert policy.model.config.d_model == TINY.d_model
        wanted = HybridLM(policy.model.config, seed=seed)
        assert torch.equal(policy.model.head.weight, wanted.head.weight)
    assert [settings.seed for settings in trained.all("settings")] == [7, 8]
    assert [(one.steps, one.batch_size, one.peak_lr) for one in trained.all("settings")] == [(20, 24, 1e-2)] * 2
    drawn, tried = spy(monkeypatch, rule_puzzles, "puzzle"), spy(monkeypatch, rule_puzzles, "attempt")
    batches = [trained.all("data")[k](step).tokens_BL for k, step in ((0, 3), (1, 3), (0, 4))]
    assert not any(torch.equal(batches[0], other) for other in batches[1:] if other.shape == batches[0].shape)
    assert set(drawn.all("split")) == {"train"}
    assert drawn.all("seed") == [7] * 24 + [8] * 24 + [7] * 24
    assert drawn.all("index") == [*range(72, 96)] * 2 + [*range(96, 120)], "no puzzle twice"
    assert set(tried.all("leave")) == {TINY.leave}
    assert len(set(tried.all("seed"))) > 24, "the habit is drawn anew for each puzzle"


@pytest.mark.parametrize("scale", ["smoke", "laptop", "gpu", "cluster"])
def test_puzzles_to_revise_lie_beyond_all_taught(monkeypatch, scale: str) -> None:
    drawn, sizes = spy(monkeypatch, rule_puzzles, "puzzle"), resolve("11_retro_search", scale)
    plan = replace(TINY, steps=sizes.steps, batch_size=sizes.batch_size)
    items = runs.questions(plan, 7, "train", 5)
    assert min(drawn.all("index")) >= plan.steps * plan.batch_size
    assert len(set(drawn.all("index"))) == 5
    runs.questions(plan, 7, "test", 5)
    assert drawn.all("split") == ["train"] * 5 + ["test"] * 5
    assert set(drawn.all("seed")) == {7}
    for item, index in zip(items, drawn.all("index")[:5], strict=True):
        one = drawn.original(7, "train", index, TINY.rules, TINY.hops)
        assert item.prompt == one.prompt
        assert item.is_correct(rule_puzzles.attempt(one, 0.0))
        assert not item.is_correct("so 00+0")


def test_a_tuned_model_is_a_copy_and_the_seed_says_which_question_comes_when(monkeypatch) -> None:
    trained = record(monkeypatch, runs, "train")
    some = [Traced(f"+3 +5:{n:02d}?01=", f"trace {n}", bool) for n in range(10)]
    others = [replace(item, trace=f"other {n}") for n, item in enumerate(some)]
    asked = spy(monkeypatch, runs, "pair_source")
    for items, seed in ((some, 7), (others, 7), (some, 8)):
        tuned = runs.tune(TINY, POLICY, items, seed)
        assert tuned.model is not POLICY.model
        assert tuned.model is trained.calls[-1]["model"]
        assert torch.equal(tuned.model.head.weight, POLICY.model.head.weight)
    settings = trained.all("settings")
    assert [one.seed for one in settings] == [7, 7, 8]
    assert {(one.steps, one.batch_size, one.peak_lr) for one in settings} == {(TINY.tune_steps, 24, TINY.tune_lr)}
    first, second, third = ([pairs(step) for step in (0, 1)] for pairs in asked.all("pairs"))
    assert [[p for p, _ in step] for step in first] == [[p for p, _ in step] for step in second]
    assert all(answer.startswith("other") for step in second for _, answer in step)
    assert first != third
    assert first[0] != first[1]


def test_weak_revisers_are_one_training_of_another_seed(monkeypatch) -> None:
    def taught(plan, seed, d_model, steps, peak_lr, on_step=None):
        policy = runs.untrained(d_model)
        for step in range(1, steps + 1):
            torch.nn.init.constant_(policy.model.head.weight, step)
            on_step(policy, step)
        return policy

    teaching = record(monkeypatch, runs, "teach", taught)
    plan = replace(TINY, weak_steps=(0, 4, 10))
    untrained, *later = runs.weak_models(plan, 7)
    assert [one.model.head.weight.unique().tolist() for one in later] == [[4], [10]], "each as it was by then"
    call = teaching.calls[0]
    assert (call["d_model"], call["steps"], call["peak_lr"]) == (TINY.d_weak, 10, TINY.weak_lr)
    assert call["seed"] != 7
    assert untrained.model.config.d_model == TINY.d_weak
    wanted = HybridLM(untrained.model.config, seed=call["seed"])
    assert torch.equal(untrained.model.head.weight, wanted.head.weight), (
        "the untrained one is where the training begins"
    )


def test_own_traces_are_one_sample_of_each_question(monkeypatch) -> None:
    items = runs.questions(TINY, 7, "train", 4)
    sampled = record(monkeypatch, runs, "sample_traces", "found")
    record(monkeypatch, runs, "correct_items", lambda items, found: [*items[:2], found])
    generator = torch.Generator()
    assert runs.own_traces(TINY, POLICY, items, generator) == [*items[:2], "found"]
    call = sampled.calls[0]
    assert call["policy"] is POLICY
    assert call["items"] is items
    assert call["generator"] is generator
    assert call["search"] == runs.revision_settings(TINY)
    assert call["search"].temperature == 1.0


def test_the_sizes_of_a_study_reach_its_search() -> None:
    search = runs.revision_settings(replace(TINY, gamma=0.7, alternatives=3), start="random")
    assert (search.gamma, search.alternatives, search.max_new_tokens) == (0.7, 3, TINY.max_new_tokens)
    assert (search.start, search.keywords) == ("random", measures.KEYWORDS)


@pytest.fixture
def experiment(monkeypatch):
    """One seed with stand-ins for all that takes time: what was called, by name."""
    revised = runs.questions(TINY, 7, "train", 3)
    right = [replace(item, trace=f"own {n}") for n, item in enumerate(revised)]
    sets = {name: [name] for name in ("originals", "originals, other seed", "Retro-Search", "cut")}
    called = {
        "teach": record(monkeypatch, runs, "teach", POLICY),
        "questions": spy(monkeypatch, runs, "questions"),
        "own_traces": record(monkeypatch, runs, "own_traces", right),
        "measure": record(monkeypatch, runs, "measure", lambda policy, *_: Accurate(policy)),
        "tune": record(monkeypatch, runs, "tune", lambda plan, policy, items, seed: (items, seed)),
        "shapes": record(monkeypatch, runs, "shapes", tuple),
        "_self_data": record(monkeypatch, runs, "_self_data", sets),
        "_ablations": record(monkeypatch, runs, "_ablations", {"kind": "cost"}),
        "_weak": record(monkeypatch, runs, "_weak"),
    }
    return one_seed(TINY, 7, ablations=2), called, right, sets


class Accurate:
    """An outcome that knows whose it is."""

    accuracy = 0.5

    def __init__(self, policy: object) -> None:
        self.policy = policy


def test_arms_of_a_seed_are_tuned_alike_and_the_control_by_another_seed(experiment) -> None:
    result, called, _, sets = experiment
    tuned = called["tune"]
    assert all(policy is POLICY for policy in tuned.all("policy"))
    seeds = dict(zip(sets, tuned.all("seed"), strict=True))
    control = seeds.pop("originals, other seed")
    assert set(seeds.values()) == {7}
    assert control != 7
    assert control not in range(100), "no seed that another repeat has"
    assert {name: outcome.policy for name, outcome in result.outcomes.items()} == {
        name: (data, {**seeds, "originals, other seed": control}[name]) for name, data in sets.items()
    }
    assert result.data == {name: tuple(data) for name, data in sets.items()}


def test_traces_are_of_training_and_judging_is_of_held_out_puzzles(experiment) -> None:
    result, called, right, _ = experiment
    (held_out, revised) = called["questions"].calls
    assert (held_out["split"], held_out["count"], held_out["seed"]) == ("test", TINY.held_out, 7)
    assert (revised["split"], revised["count"], revised["seed"]) == ("train", TINY.questions, 7)
    wanted = [item.prompt for item in called["questions"].original(**held_out)]
    for items in called["measure"].all("items"):
        assert [item.prompt for item in items] == wanted
    assert called["measure"].calls[0]["policy"] is POLICY
    teaching = called["teach"].calls[0]
    assert (teaching["seed"], teaching["d_model"], teaching["steps"]) == (7, TINY.d_model, TINY.steps)
    asked = called["own_traces"].only("items")
    assert [item.prompt for item in asked] == [i.prompt for i in called["questions"].original(**revised)]
    assert called["_self_data"].only("items") is called["_weak"].only("items") is right
    assert called["_ablations"].only("items") == right[:2]
    assert called["_weak"].only("few") == 2
    assert called["_weak"].only("held_out") is called["measure"].calls[0]["items"]
    assert result.costs == {"kind": "cost"}


def test_the_control_of_another_seed_can_fail(result: SeedResult) -> None:
    """Its outcome differs from the originals', though it learned from the same traces."""
    assert result.data["originals, other seed"] == result.data["originals"]
    assert result.outcomes["originals, other seed"] != result.outcomes["originals"]


def test_baselines_get_the_traces_and_the_tokens_that_the_revision_spent(monkeypatch) -> None:
    items, generator = ["one", "two"], torch.Generator()
    revised = record(monkeypatch, runs, "revise", [])
    record(monkeypatch, runs, "revised_items", ["revised"])
    record(monkeypatch, runs, "cost_of", SimpleNamespace(tokens=4711))
    tip = record(monkeypatch, runs, "penalise_switches", "tip")
    names = {"shortest of n": "shortest_correct", "truncated": "truncate_and_regenerate", "penalised": "penalised"}
    made = {kind: record(monkeypatch, runs, name, ([kind], 4712)) for kind, name in names.items()}
    cut = record(monkeypatch, runs, "cut_and_answered", ["cut"])
    found = SeedResult(7)
    sets = runs._self_data(TINY, POLICY, items, generator, found)
    assert sets == {
        "originals": items,
        "originals, other seed": items,
        "Retro-Search": ["revised"],
        **{kind: [kind] for kind in names},
        "cut": ["cut"],
    }
    for recorder in (revised, *made.values()):
        assert recorder.only("policy") is POLICY
        assert recorder.only("items") is items
        assert recorder.only("search") == runs.revision_settings(TINY)
        assert recorder.only("generator") is generator
    assert [recorder.only("budget") for recorder in made.values()] == [4711] * 3
    assert revised.only("seed") == made["truncated"].only("seed") == cut.only("seed") == 7
    assert made["penalised"].only("adjust") == "tip"
    assert tip.only("codec") is POLICY
    assert tip.only("beta") == TINY.beta
    assert found.spent == dict.fromkeys(names, 4712)


def test_kinds_of_revision_differ_in_what_they_are_named_for(monkeypatch) -> None:
    revised = record(monkeypatch, runs, "revise", lambda policy, items, search, generator: search)
    record(monkeypatch, runs, "cost_of", lambda search, hops: search)
    found = runs._ablations(TINY, POLICY, ["one"], torch.Generator())
    wanted = {f"ban: {ban}": replace(runs.revision_settings(TINY), ban=ban) for ban in runs.BANS}
    assert found == wanted | {"random start": replace(runs.revision_settings(TINY), start="random")}
    assert all(policy is POLICY for policy in revised.all("policy"))
    assert revised.all("items") == [["one"]] * len(found)
    assert runs.revision_settings(TINY).ban == "first step"


def test_students_are_alike_and_learn_from_the_last_reviser_or_from_none(monkeypatch) -> None:
    items, held_out = ["one", "two", "three"], ["held", "out"]
    plan = replace(TINY, weak_steps=(0, 4, 10))
    record(monkeypatch, runs, "weak_models", ["untrained", "middle", "last"])
    revised = record(monkeypatch, runs, "revise", lambda policy, items, *_: (policy, items))
    record(monkeypatch, runs, "revised_items", lambda revisions: ["by", revisions[0]])
    record(monkeypatch, runs, "cost_of", lambda revisions, hops: revisions)
    record(monkeypatch, runs, "cut_and_answered", ["cut"])
    record(monkeypatch, runs, "shapes", tuple)
    taught = record(monkeypatch, runs, "teach", "student")
    measured = record(monkeypatch, runs, "measure", lambda policy, *_: Accurate(policy))
    tuned = record(monkeypatch, runs, "tune", lambda plan, policy, items, seed: tuple(items))
    found = SeedResult(7)
    runs._weak(plan, items, 2, held_out, torch.Generator(), found)
    assert revised.all("policy") == ["untrained", "middle", "last"]
    assert revised.all("items") == [items, items[:2], items]
    assert set(tuned.all("seed")) == {7}
    assert set(tuned.all("policy")) == {"student"}
    outcomes = {name: outcome.policy for name, outcome in found.outcomes.items()}
    assert outcomes == {
        "student: originals": tuple(items),
        "student: cut": ("cut",),
        "student: revised by an untrained model": ("by", "untrained"),
        "student: revised": ("by", "last"),
    }
    assert all(asked is held_out for asked in measured.all("items"))
    student = taught.calls[0]
    assert (student["d_model"], student["steps"], student["peak_lr"]) == (TINY.d_weak, 10, TINY.weak_lr)
    assert student["seed"] not in (7, 7 + 250), "a student is neither the strong model nor the reviser"
