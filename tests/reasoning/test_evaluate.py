"""Measures: pass@k against its definition, lengths on the intersection, and a policy that is known."""

import itertools
import math
from typing import Any

import pytest
import tiny_policy
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.reasoning import evaluate
from nemo_lab.reasoning.evaluate import Answer, answer, pass_at, pass_rates, score
from nemo_lab.reasoning.questions.domains import draw
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.questions.templates import prompt_of, response_of
from nemo_lab.reasoning.retro.search import Traced
from nemo_lab.reasoning.sft import pair_source
from nemo_lab.training import TrainSettings, train
from tests.reasoning.refusals import Call, one_wrong, refused
from tests.recorders import assert_seed_decides

ITEMS = draw("sum", 3, seed=1, level=1)


def group(verdicts, tokens=5):
    return [Answer(ITEMS[0], "", right, True, True, tokens) for right in verdicts]


@given(st.lists(st.booleans(), min_size=1, max_size=8), st.integers(1, 8))
def test_pass_at_k_is_the_share_of_subsets_with_a_right_answer(verdicts, k):
    k = min(k, len(verdicts))
    subsets = list(itertools.combinations(verdicts, k))
    assert pass_at([group(verdicts)], k) == pytest.approx(sum(map(any, subsets)) / len(subsets))


def test_pass_at_needs_as_many_answers():
    with pytest.raises(ValueError, match="k is 3"):
        pass_at([group([True, False])], 3)


def test_means_over_answers():
    left = [group([True], 9), group([True], 7), group([False], 1)]
    assert pass_rates(left) == [1.0, 1.0, 0.0]
    assert score(left).tokens_right == 8
    assert math.isnan(score([group([False])]).tokens_right)


def test_what_a_policy_has_learned_by_heart_is_found():
    policy = tiny_policy.tiny_policy("*-*-", d_model=32)
    pairs = [(prompt_of(item, mode), response_of(item, mode)) for item in ITEMS for mode in ("on", "off")]
    source = pair_source(lambda step: pairs, policy.encode, policy.end, policy.pad)
    train(policy.model, source, TrainSettings(200, len(pairs), 1e-2, precision="fp32"), progress=False)
    for mode in ("on", "off"):
        found = score(answer(policy, ITEMS, mode=mode, max_new_tokens=24))
        assert (found.accuracy, found.adherence) == (1.0, 1.0)
        assert found.tokens == sum(len(policy.encode(response_of(item, mode))) + 1 for item in ITEMS) / 3
    drawn = answer(policy, ITEMS, mode="off", max_new_tokens=24, samples=4, temperature=1.0)
    assert [len(one) for one in drawn] == [4] * 3
    cut = answer(policy, ITEMS, mode="on", max_new_tokens=3)
    assert score(cut).accuracy == 0.0  # it did not end


NAN = math.nan
POLICY = tiny_policy.tiny_policy()
SUM = Item("sum", "1+1", "2")
TRACED = Traced("1+1=", "a\n\nWait, b", lambda trace: True)


@one_wrong(
    {
        "policy": [None, POLICY.model],
        "items": [None, ["x"], SUM, [TRACED]],
        "mode": [None, "onn"],
        "template": [None, "x"],
        "max_new_tokens": [None, 0, 1.5],
        "samples": [None, 0, -1, 1.5],
        "temperature": [None, -1, NAN],
        "seed": [None, -1, 1.5],
    }
)
def test_answers(name: str, wrong: object) -> None:
    usual: dict[str, Any] = {"policy": POLICY, "items": [SUM], "mode": "on", "max_new_tokens": 2}
    refused(lambda: evaluate.answer(**usual | {name: wrong}))


@pytest.mark.parametrize(
    "call",
    [
        lambda: evaluate.score(None),  # type: ignore[arg-type]
        lambda: evaluate.pass_rates(None),  # type: ignore[arg-type]
        lambda: evaluate.pass_at([], 1),
        lambda: evaluate.pass_at([[Answer(SUM, "", True, True, True, 1)]], 2),
        lambda: evaluate.pass_at([[Answer(SUM, "", True, True, True, 1)]], 0),
    ],
)
def test_no_answers_to_score(call: Call) -> None:
    refused(call)


def test_the_seed_decides_what_is_sampled():
    policy = tiny_policy.tiny_policy("*-*-", d_model=32)

    def sampled(seed):
        found = answer(policy, ITEMS, mode="off", max_new_tokens=6, samples=2, temperature=1.0, seed=seed)
        return [one.text for group in found for one in group]

    assert_seed_decides(sampled)
