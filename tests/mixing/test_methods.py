"""Every method has the same budget, and what they share is trained once."""

import numpy as np
import pytest
import tiny_plan

from nemo_lab.mixing import methods, proxies
from nemo_lab.mixing.search import SearchSettings

SIZES = SearchSettings((6, 3), candidates=100)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    plan = tiny_plan.plan()
    run = methods.runner(plan, 1, tmp_path_factory.mktemp("proxies"), n_jobs=1)
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
    monkeypatch.setattr(proxies, "train_many", lambda jobs, **_: [job() for job in jobs])
    methods.searches(plan, methods.runner(plan, 1, tmp_path), "up", SIZES, seed=1)
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
