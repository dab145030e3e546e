"""Every method has the same budget, and what they share is trained once."""

from dataclasses import replace

import numpy as np
import pytest
import tiny_plan

from nemo_lab.mixing import predictors, proxies
from nemo_lab.mixing.search import Search, SearchSettings
from nemo_lab.studies.climb_mixing import methods
from tests.recorders import record

SIZES = SearchSettings((6, 3), candidates=100)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    plan = tiny_plan.plan()
    run = proxies.runner(plan, 1, tmp_path_factory.mktemp("proxies"), n_jobs=1)
    return plan, methods.searches(plan, run, "up", SIZES, seed=1)


def test_all_searches_train_as_many_proxies_and_begin_alike(found):
    _, searches = found
    assert {len(search.scores_N) for search in searches.values()} == {9}
    for search in searches.values():
        assert np.array_equal(search.mixtures_NK[:6], searches["CLIMB"].mixtures_NK[:6])
        assert np.array_equal(search.scores_N[:6], searches["CLIMB"].scores_N[:6])
    assert not np.array_equal(searches["permuted"].mixtures_NK[6:], searches["CLIMB"].mixtures_NK[6:])


def test_the_shared_proxies_are_trained_once(found, tmp_path, monkeypatch):
    plan, _ = found
    trained = []
    train = proxies.mixture_model
    monkeypatch.setattr(proxies, "mixture_model", lambda *a: trained.append(1) or train(*a))
    monkeypatch.setattr(proxies, "run_many", lambda jobs, **_: [job() for job in jobs])
    methods.searches(plan, proxies.runner(plan, 1, tmp_path), "up", SIZES, seed=1)
    assert len(trained) == 6 + 3 + 3 + 3


def test_answers_are_mixtures_and_the_search_finds_the_source_that_teaches(found):
    plan, searches = found
    answers = methods.answers(searches, plan)
    for name, weights_K in answers.items():
        assert weights_K.shape == (3,), name
        assert weights_K.sum() == pytest.approx(1), name
    assert np.argmax(answers["CLIMB"]) == 0
    assert np.array_equal(answers["one random"], searches["one round"].mixtures_NK[0])
    assert answers["uniform"] == pytest.approx(np.full(3, 1 / 3))


# --- what reaches the searches


def test_searches_share_seed_and_prior_and_only_the_control_is_permuted(monkeypatch):
    plan, run = tiny_plan.uneven(), object()
    climbed = record(monkeypatch, methods, "climb", lambda *args, **kwargs: len(climbed.calls))
    sizes = SearchSettings((6, 3), candidates=100, first="flat", later="sparse")
    assert methods.searches(plan, run, "up", sizes, seed=7) == {"CLIMB": 1, "one round": 2, "permuted": 3}
    assert climbed.all("seed") == [7] * 3
    assert climbed.all("run") == [run] * 3
    assert climbed.all("objective") == ["up"] * 3
    assert all(np.array_equal(prior, plan.pools.natural_K) for prior in climbed.all("prior_K"))
    assert climbed.all("settings") == [sizes, replace(sizes, rounds=(9,)), sizes]
    assert climbed.all("fit") == [predictors.fit_chosen, predictors.fit_chosen, predictors.fit_permuted]


def searched(seed):
    """A search of drawn numbers, whose answers all differ."""
    random = np.random.default_rng(seed)
    mixtures, candidates = random.dirichlet(np.ones(3), 9), random.dirichlet(np.ones(3), 300)
    return Search(None, mixtures, random.random(9), candidates, random.random(300))


def test_each_method_answers_from_its_own_search():
    plan = tiny_plan.uneven()
    found = {name: searched(seed) for seed, name in enumerate(("CLIMB", "one round", "permuted"))}
    given = methods.answers(found, plan)
    ours, single, control = found.values()
    wanted = {
        "CLIMB": ours.candidates_CK[np.argmin(ours.predicted_C)],
        "CLIMB, mean": ours.candidates_CK[np.argsort(ours.predicted_C)[:128]].mean(0),
        "RegMix": single.candidates_CK[np.argsort(single.predicted_C)[:128]].mean(0),
        "best of random": single.mixtures_NK[np.argmin(single.scores_N)],
        "one random": single.mixtures_NK[0],
        "permuted": control.candidates_CK[np.argmin(control.predicted_C)],
        "uniform": np.full(3, 1 / 3),
        "natural": plan.pools.natural_K,
    }
    assert given.keys() == wanted.keys()
    for name, weights_K in wanted.items():
        assert given[name] == pytest.approx(weights_K), name
