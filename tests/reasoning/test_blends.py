"""Blends: exact counts, ratios that hold in every batch, no question from a source that was left out."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.errors import LabError
from nemo_lab.reasoning import blends
from nemo_lab.reasoning.blends import Key
from nemo_lab.reasoning.experience import Prompt
from nemo_lab.reasoning.questions.domains import DOMAINS, draw
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.questions.templates import TEMPLATES, as_choice
from tests.reasoning.refusals import Call, refused

KEYS = [(domain, template) for domain in DOMAINS for template in TEMPLATES]
SIZES = st.fixed_dictionaries({key: st.integers(1, 500) for key in KEYS})
BATCH = st.integers(1, 200)
OFFSET = st.floats(0, 1, exclude_max=True)


def pool(count: int = 12) -> dict[Key, list[Item]]:
    """`count` questions of every domain, the same in both templates."""
    random = np.random.default_rng(0)
    items = {name: [as_choice(item, random) for item in draw(name, count, seed=0)] for name in DOMAINS}
    return {(name, template): items[name] for name, template in KEYS}


POOL = pool()


def sources(prompts: list[Prompt]) -> Counter[Key]:
    return Counter((prompt.about[0].domain, prompt.about[1]) for prompt in prompts)


@given(SIZES, BATCH, OFFSET)
def test_counts_sum_to_the_batch_and_are_within_one_of_their_share(
    sizes: dict[Key, int], size: int, offset: float
) -> None:
    blend = blends.natural(sizes)
    found = blends.counts(blend, size, offset)
    assert sum(found.values()) == size
    assert all(abs(found[key] - size * weight) < 1 + 1e-6 for key, weight in blend.items())


@given(SIZES, BATCH, OFFSET, st.sampled_from(blends.KINDS))
def test_two_to_one_holds_within_one_prompt_in_every_batch(
    sizes: dict[Key, int], size: int, offset: float, kind: str
) -> None:
    found = blends.counts(blends.two_to_one(sizes, kind), size, offset)
    favoured = sum(count for key, count in found.items() if blends.kind_of(key) == kind)
    assert abs(favoured - 2 * size / 3) < 1 + 1e-6


@given(SIZES, BATCH, OFFSET, st.sampled_from(TEMPLATES))
def test_by_format_holds_within_one_prompt_in_every_batch(
    sizes: dict[Key, int], size: int, offset: float, template: str
) -> None:
    found = blends.counts(blends.by_format(sizes, template), size, offset)
    favoured = sum(count for key, count in found.items() if key[1] == template)
    assert abs(favoured - 2 * size / 3) < 1 + 1e-6


@given(SIZES, st.sampled_from(blends.KINDS))
def test_only_has_no_other_kind_and_keeps_the_proportions(sizes: dict[Key, int], kind: str) -> None:
    blend = blends.only(sizes, kind)
    assert {blends.kind_of(key) for key in blend} == {kind}
    assert sum(blend.values()) == pytest.approx(1)
    first = next(iter(blend))
    assert all(weight / blend[first] == pytest.approx(sizes[key] / sizes[first]) for key, weight in blend.items())


def test_over_many_batches_a_small_source_gets_its_share() -> None:
    blend = {("sum", "open"): 0.985, ("path", "open"): 0.015}
    offsets = np.random.default_rng(0).random(4000)
    mean = np.mean([blends.counts(blend, 32, offset)["path", "open"] for offset in offsets])
    assert mean == pytest.approx(0.48, abs=0.03)


def test_weights_by_usefulness_are_in_proportion_to_the_scores() -> None:
    blend = blends.by_usefulness({("sum", "open"): 0.2, ("path", "choice"): 0.6})
    assert blend == pytest.approx({("sum", "open"): 0.25, ("path", "choice"): 0.75})


def test_prompts_are_the_same_for_the_same_step_and_others_for_another() -> None:
    ask = blends.blend_prompts(blends.natural(dict.fromkeys(KEYS, 1)), POOL, 3, size=32)
    again = blends.blend_prompts(blends.natural(dict.fromkeys(KEYS, 1)), POOL, 3, size=32)
    other = blends.blend_prompts(blends.natural(dict.fromkeys(KEYS, 1)), pool(11), 3, size=32)
    assert ask.fingerprint == again.fingerprint != other.fingerprint
    assert ask(4, 0) == again(4, 0)
    assert ask(4, 0) != ask(5, 0)
    assert ask(4, 0) != ask(4, 1)
    assert len(ask(0, 0)) == 32


def test_two_blends_ask_the_same_questions_of_a_domain() -> None:
    few = blends.blend_prompts(blends.natural({("sum", "open"): 1, ("path", "open"): 3}), POOL, 3, size=16)
    many = blends.blend_prompts(blends.natural({("sum", "open"): 1}), POOL, 3, size=12)
    asked = {prompt.text for prompt in few(2, 0) if prompt.about[0].domain == "sum"}
    assert len(asked) == 4
    assert asked <= {prompt.text for prompt in many(2, 0)}


def test_a_prompt_is_written_in_its_template() -> None:
    blend = blends.by_format(dict.fromkeys(KEYS, 1), "choice")
    prompts = list(blends.blend_prompts(blend, POOL, 0, size=60)(0, 0))
    assert all(("(A)" in prompt.text) == (prompt.about[1] == "choice") for prompt in prompts)
    assert blends.composition(prompts, blends.template_of) == {"choice": 40, "open": 20}
    assert sum(sources(prompts).values()) == 60


def test_a_small_pool_is_asked_again() -> None:
    small = {("sum", "open"): POOL["sum", "open"][:2]}
    prompts = blends.blend_prompts({("sum", "open"): 1.0}, small, 0, size=6)(0, 0)
    assert Counter(prompt.text for prompt in prompts).most_common() == [
        (text, 3) for text in dict.fromkeys(prompt.text for prompt in prompts)
    ]


def test_what_cannot_be_blended_is_refused() -> None:
    ones = dict.fromkeys(KEYS, 1)
    with pytest.raises(LabError, match="math"):
        blends.two_to_one(ones, "maths")
    with pytest.raises(LabError, match="positive"):
        blends.two_to_one(ones, "math", ratio=0)
    with pytest.raises(LabError, match="One side is empty"):
        blends.by_format({("sum", "open"): 3}, "open")
    with pytest.raises(LabError, match="domain"):
        blends.natural({("cooking", "open"): 3})
    with pytest.raises(LabError, match="at least 0"):
        blends.by_usefulness({("sum", "open"): -1.0})
    with pytest.raises(LabError, match="weight above 0"):
        blends.by_usefulness({("sum", "open"): 0.0})
    with pytest.raises(LabError, match="no questions"):
        blends.blend_prompts({("sum", "open"): 1.0}, {}, 0, size=4)
    with pytest.raises(LabError, match="sum to 1"):
        blends.blend_prompts({("sum", "open"): 0.5}, POOL, 0, size=4)
    with pytest.raises(LabError, match="mode"):
        blends.blend_prompts({("sum", "open"): 1.0}, POOL, 0, size=4, mode="loud")


NAN = math.nan
SUM = Item("sum", "1+1", "2")


@pytest.mark.parametrize(
    "call",
    [
        lambda: blends.natural(None),  # type: ignore[arg-type]
        lambda: blends.blend_prompts({("sum", "open"): 1.0}, {("sum", "open"): [SUM]}, 0, size=0),
        lambda: blends.blend_prompts({("sum", "open"): 1.0}, {("sum", "open"): [SUM]}, -1, size=1),
        lambda: blends.blend_prompts({("sum", "open"): NAN}, {("sum", "open"): [SUM]}, 0, size=1),
    ],
)
def test_blends_that_cannot_be(call: Call) -> None:
    refused(call)
