"""What is measured of a model and of revisions."""

from nemo_lab.reasoning.retro.search import Continuation
from nemo_lab.studies.retro_search import measures, runs
from tests.recorders import record
from tests.studies.retro_search.tiny_study import POLICY, TINY


def test_outcomes_are_greedy_and_drawn_with_a_seed(monkeypatch) -> None:
    items = runs.questions(TINY, 7, "test", 4)
    found = [Continuation("", True, 3)] * 3 + [Continuation("", True, 7)]
    sampled = record(monkeypatch, measures, "sample_traces", found)
    record(monkeypatch, measures, "shapes", tuple)
    judged = record(monkeypatch, measures, "correct_items", lambda items, found: items[: len(judged.calls)])
    outcome = measures.measure(POLICY, items, runs.revision_settings(TINY), seed=5)
    greedy, drawn = sampled.calls
    assert (greedy["search"].temperature, drawn["search"].temperature) == (0.0, 1.0)
    assert drawn["generator"].initial_seed() == 5
    assert all(call["items"] is items for call in (greedy, drawn))
    assert sorted([outcome.accuracy, outcome.sampled_accuracy]) == [0.25, 0.5]
    assert (outcome.tokens, outcome.sampled_tokens) == (4, 4)
