"""Down-sampling: a shorter run reads its sources as often as the long one."""

from typing import Any

import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.mixing import horizons
from nemo_lab.mixing.pools import MixingError
from tests.recorders import assert_seed_decides

documents = st.lists(st.integers(1, 40), min_size=1, max_size=30)


def dataset(sizes: dict[str, list[int]]) -> Dataset:
    rows = [(name, "x" * size) for name, own in sizes.items() for size in own]
    return Dataset.from_dict({"text": [text for _, text in rows], "corpus": [name for name, _ in rows]})


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from("abc"), documents, min_size=1), st.floats(0.01, 1), st.integers(0, 9))
def test_down_sampling_keeps_epochs_within_one_document(sizes: dict[str, list[int]], rate: float, seed: int) -> None:
    """e = w T / N stays when T and N shrink alike: the kept bytes miss rate · N by less than one document."""
    small = horizons.down_sample(dataset(sizes), rate, seed=seed)
    for name, own in sizes.items():
        kept = [len(t) for t, label in zip(small["text"], small["corpus"], strict=True) if label == name]
        assert kept
        assert abs(sum(kept) - rate * sum(own)) < max(own)


@settings(deadline=None)
@given(documents, st.integers(0, 9))
def test_smaller_samples_lie_inside_larger_ones(sizes: list[int], seed: int) -> None:
    texts = [f"{number}:" + "x" * size for number, size in enumerate(sizes)]
    own = Dataset.from_dict({"text": texts, "corpus": ["a"] * len(sizes)})
    kept = [set(horizons.down_sample(own, rate, seed=seed)["text"]) for rate in (0.2, 0.5, 1.0)]
    assert kept[0] <= kept[1] <= kept[2] == set(texts)


def test_a_rate_for_each_source() -> None:
    own = dataset({"a": [1] * 100, "b": [1] * 100})
    small = horizons.down_sample(own, {"a": 0.1, "b": 0.5})
    assert sum(name == "a" for name in small["corpus"]) == 10
    assert sum(name == "b" for name in small["corpus"]) == 50
    with pytest.raises(MixingError, match="no rate for source 'b'"):
        horizons.down_sample(own, {"a": 0.1})
    with pytest.raises(MixingError, match=r"rate of source 'a' is 1.5"):
        horizons.down_sample(own, 1.5)


class Characters:
    """A tokenizer of one token a character."""

    def encode_batch(self, texts: list[str], add_special_tokens: bool = True) -> list[Any]:
        return [type("Encoding", (), {"ids": [ord(c) for c in text]})() for text in texts]


def test_cutting_to_a_number_of_tokens() -> None:
    own = dataset({"a": [9] * 40, "b": [19] * 40})
    have = horizons.token_counts(own, Characters())
    assert have == {"a": 400, "b": 800}
    cut = horizons.cut_to(own, {"a": 100, "b": 100}, have)
    assert horizons.token_counts(cut, Characters()) == {"a": 100, "b": 100}
    with pytest.raises(MixingError, match="'a' has 400 tokens, 500 were asked for"):
        horizons.cut_to(own, {"a": 500, "b": 100}, have)


def test_graded_sizes() -> None:
    sizes = horizons.graded_sizes(["best", "middle", "worst"], 700, 4)
    assert sizes == pytest.approx({"best": 100, "middle": 200, "worst": 400})


def test_the_seed_decides_which_documents_of_each_source_stay() -> None:
    rows = [(name, f"{name} {number}") for name in "ab" for number in range(10, 40)]
    own = Dataset.from_dict({"text": [text for _, text in rows], "corpus": [name for name, _ in rows]})
    assert_seed_decides(lambda seed: list(horizons.down_sample(own, 0.2, seed=seed)["text"]))
    kept = [text.split() for text in horizons.down_sample(own, 0.2)["text"]]
    numbers = {name: [number for own, number in kept if own == name] for name in "ab"}
    assert numbers["a"] != numbers["b"], "each source has an order of its own"
