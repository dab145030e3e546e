"""Arms of equal size: what is read, how often, and that nothing else changes."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.errors import LabError
from nemo_lab.studies.web_curation import ablations as web
from tests.recorders import spy

TEXTS = [f"document number {n} says this and no more" for n in range(10)]
WHOLE = sum(map(web.size_of, TEXTS))


@given(st.lists(st.text(alphabet="aé😀 ", min_size=1, max_size=12), min_size=1, max_size=6), st.integers(1, 200))
@settings(max_examples=100, deadline=None)
def test_as_many_bytes_as_asked_for(texts, budget):
    found = web.read_once(texts, budget, 0)
    assert budget - 3 <= found.size <= budget
    assert found.unique == min(budget, sum(map(web.size_of, texts)))
    assert found.passes == pytest.approx(budget / found.unique)


def test_passes_are_whole_and_in_orders_of_their_own():
    found = web.read_once(TEXTS, 3 * WHOLE, 0).texts
    passes = [found[start : start + 10] for start in range(0, 30, 10)]
    assert all(sorted(one) == sorted(TEXTS) for one in passes)
    assert len(set(map(tuple, passes))) == 3
    assert web.read_once(TEXTS, WHOLE, 0).texts == passes[0]
    assert web.read_once(TEXTS, WHOLE, 1).texts != passes[0]


def test_swapping_keeps_the_size_and_halves_the_passes():
    new = [text.upper() for text in TEXTS]
    for epochs in (2, 4, 8, 16):
        plain, mixed = web.swapped(TEXTS, [], epochs, 0), web.swapped(TEXTS, new, epochs, 0)
        assert plain.size == mixed.size == epochs * WHOLE
        assert Counter(mixed.texts) == Counter({**dict.fromkeys(TEXTS, epochs // 2), **dict.fromkeys(new, epochs // 2)})
        assert (plain.passes, mixed.passes) == (epochs, epochs / 2)
    assert web.swapped(TEXTS, new, 1, 0) == web.swapped(TEXTS, [], 1, 0)


def test_annealing_has_its_share():
    bucket, usual = ["b" * 10] * 50, ["u" * 10] * 500
    found = "".join(web.annealed(bucket, usual, 1000, 0).texts)
    assert (found.count("b"), found.count("u")) == (340, 660)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9)), min_size=1, max_size=20), st.floats(0.05, 1))
@settings(max_examples=100, deadline=None)
def test_the_best_share_is_the_longest_list_that_fits(rows, share):
    scores, sizes = (np.array(column) for column in zip(*rows, strict=True))
    chosen = web.best(scores, sizes, share)
    assert sizes[chosen].sum() <= share * sizes.sum() + 1e-6
    rest = np.setdiff1d(np.arange(len(rows)), chosen)
    if len(rest):
        assert scores[rest].max() <= (scores[chosen].min() if len(chosen) else np.inf)
        following = rest[np.argsort(-scores[rest], kind="stable")[0]]
        assert sizes[chosen].sum() + sizes[following] > share * sizes.sum() - 1e-6


def test_words_shuffled_are_the_same_words():
    (found,) = web.words_shuffled([TEXTS[0]], 0)
    assert sorted(found.split()) == sorted(TEXTS[0].split())
    assert found != TEXTS[0]
    assert web.words_shuffled([""], 0) == [""]


def test_noise_floor_of_known_noise():
    draws = np.random.default_rng(0).normal(0, 0.01, 4000)
    assert web.noise_floor(draws.tolist()) == pytest.approx(np.abs(draws[::2] - draws[1::2]).std() * 1.66, rel=0.05)
    assert web.noise_floor([1.0, 1.0, 1.0]) == 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: web.read_once([], 5, 0), "0 bytes to read"),
        (lambda: web.read_once(["a"], 0, 0), "0 wanted"),
        (lambda: web.best([1], [1], 0), "share is 0"),
        (lambda: web.best([], [], 0.5), "at least 1"),
        (lambda: web.best([float("nan")], [1], 0.5), "1 are no numbers"),
        (lambda: web.best([1, 2], [1], 0.5), "one length"),
        (lambda: web.unigram_bits([], [[0]], {"text": ["a"], "corpus": ["x"]}), "0 learnt and 1 judged"),
        (lambda: web.unigram_bits([[0]], [], {"text": [], "corpus": []}), "1 learnt and 0 judged"),
        (lambda: web.swapped(["a"], [], 0, 0), "epochs is 0"),
        (lambda: web.noise_floor([1.0]), "at least two"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(LabError, match=words):
        call()


def test_counting_tokens_by_hand():
    """Token 0 three times, 1 once, each plus one: 4/6 and 2/6; two corpora of four and two bytes."""
    documents = {"text": ["aaaa", "ä"], "corpus": ["one", "other"]}
    one, other = (2 * np.log2(6 / 4) + np.log2(6 / 2)) / 4, np.log2(6 / 2) / 2
    assert web.unigram_bits([[0, 0, 1], [0]], [[0, 0, 1], [1]], documents) == pytest.approx((one + other) / 2)


# --- seeds, and what stands beside what


NEW = [text.upper() for text in TEXTS]


def places(texts, chosen):
    return [at for at, text in enumerate(texts) if text in chosen]


@pytest.mark.parametrize("seed", [0, 7])
def test_halves_are_read_by_seeds_of_their_own_and_shuffled_into_each_other(monkeypatch, seed):
    read = spy(monkeypatch, web, "read_once")
    swapped = web.swapped(TEXTS, NEW, 4, seed)
    annealed = web.annealed(TEXTS, NEW, WHOLE, seed)
    for old, new in (read.calls[:2], read.calls[2:]):
        assert (old["texts"], new["texts"]) == (TEXTS, NEW)
        assert old["seed"] == seed != new["seed"]
    assert [call["budget"] for call in read.calls] == [2 * WHOLE, 2 * WHOLE, round(0.34 * WHOLE), round(0.66 * WHOLE)]
    for found in (swapped.texts, annealed.texts):
        ours = places(found, TEXTS)
        assert ours not in ([*range(len(ours))], [*range(len(found) - len(ours), len(found))])


@pytest.mark.parametrize(
    "make",
    [
        lambda seed: web.swapped(TEXTS, NEW, 4, seed).texts,
        lambda seed: web.swapped(TEXTS, [], 4, seed).texts,
        lambda seed: web.annealed(TEXTS, NEW, WHOLE, seed).texts,
        lambda seed: web.words_shuffled(TEXTS, seed),
        lambda seed: web.shuffled(TEXTS, seed),
    ],
)
def test_the_seed_decides(make):
    assert make(0) == make(0)
    assert make(0) != make(1)


def test_seeds_of_neighbouring_repeats_share_no_draw(monkeypatch):
    """Else the rephrased half of one repeat would come in the order of another's raw half."""
    read = spy(monkeypatch, web, "read_once")
    for seed in range(20):
        web.swapped(TEXTS, NEW, 2, seed)
        web.annealed(TEXTS, NEW, WHOLE, seed)
    assert len(set(read.all("seed"))) == 40


def test_the_control_shuffles_each_text_for_itself():
    twice = web.words_shuffled([TEXTS[0], TEXTS[0]], 0)
    assert twice[0] != twice[1]
    assert [sorted(text.split()) for text in web.words_shuffled(TEXTS, 3)] == [sorted(text.split()) for text in TEXTS]


def test_the_best_come_first_and_are_the_highest():
    assert web.best([1, 5, 3, 4], [1, 1, 1, 1], 0.5).tolist() == [1, 3]
    assert web.best([1, 5, 3, 4], [1, 8, 1, 1], 0.5).tolist() == [], "the best alone is more than half of the bytes"
