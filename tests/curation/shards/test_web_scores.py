"""Scorers that are taught by a sample, and buckets that are ranks, ties included."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nemo_lab.curation.filters import annotators, buckets
from nemo_lab.curation.shards import web_scores
from tests.curation.shards.web_pages import prose

TEXTS = [prose(number) for number in range(30)]
SIGNS = annotators.rubric(TEXTS).tolist()


def work_shards(folder: Path, size: int = 8) -> list[Path]:
    found = []
    for start in range(0, len(TEXTS), size):
        found.append(folder / f"part-{start // size:05d}.parquet")
        part = slice(start, start + size)
        pq.write_table(pa.table({"text": TEXTS[part], "signs": SIGNS[part]}), found[-1])
    return found


def test_without_good_texts_the_signs_teach_words() -> None:
    scorers = web_scores.teach(TEXTS, SIGNS)
    assert list(scorers) == ["words"]
    new = [prose(number) for number in range(100, 200)]
    assert np.corrcoef(scorers["words"](new), annotators.rubric(new))[0, 1] > 0.5


def test_good_texts_teach_words_against_the_pages() -> None:
    good = [text + " The abbot sang in the chapel." for text in TEXTS[:10]]
    score = web_scores.teach(TEXTS[10:], SIGNS[10:], good)["words"]
    one, other = score([prose(50), prose(50) + " The abbot sang in the chapel."])
    assert other > one


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_pages_teach_nothing(count: int) -> None:
    assert web_scores.teach(TEXTS[:count], SIGNS[:count], encode=lambda texts: np.ones((len(texts), 2))) == {}
    assert list(web_scores.teach(TEXTS[:count], SIGNS[:count], ["good"])) == (["words"] if count else [])


def test_vectors_learn_the_signs() -> None:
    def encode(texts):
        return np.array([[text.count("because"), len(text)] for text in texts], dtype=float)

    scorers = web_scores.teach(TEXTS, SIGNS, encode=encode)
    assert list(scorers) == ["words", "vectors"]
    assert np.corrcoef(scorers["vectors"](TEXTS), SIGNS)[0, 1] > 0.5


def test_a_sample_is_drawn_over_all_shards(tmp_path: Path) -> None:
    stays = np.arange(len(TEXTS)) % 3 != 0
    pieces = work_shards(tmp_path)
    texts, signs = web_scores.sample_pages(pieces, stays, 12)
    numbers = [TEXTS.index(text) for text in texts]
    assert len(set(numbers)) == 12
    assert all(stays[number] for number in numbers)
    assert numbers == sorted(numbers)
    assert signs == [SIGNS[number] for number in numbers]
    assert len({number // 8 for number in numbers}) == 4
    assert web_scores.sample_pages(pieces, stays, 12) == (texts, signs)
    assert len(web_scores.sample_pages(pieces, stays)[0]) == stays.sum()


def test_scores_come_back_in_the_places_of_their_pages(tmp_path: Path) -> None:
    stays = np.arange(len(TEXTS)) % 3 != 0
    stays[8:16] = False  # a shard of which no page stays
    pieces, paths = work_shards(tmp_path), []
    for number, piece in enumerate(pieces):
        paths.append(tmp_path / f"scores-{number}")
        web_scores.write_scores(
            paths[-1], piece, stays[8 * number : 8 * number + 8], {"words": lambda t: np.array([*map(len, t)], float)}
        )
    found = web_scores.read_scores(paths, stays)
    assert np.isnan(found["signs"][~stays]).all()
    assert found["signs"][stays] == pytest.approx(np.array(SIGNS)[stays], abs=1e-6)
    assert found["words"][stays].tolist() == [len(TEXTS[at]) for at in np.flatnonzero(stays)]


def test_distinct_scores_have_the_buckets_of_the_paper() -> None:
    scores = np.random.default_rng(0).permutation(400) / 7
    assert web_scores.middle_buckets(scores).tolist() == buckets.into_buckets(scores, buckets.cuts(scores)).tolist()
    assert np.bincount(web_scores.middle_buckets(scores)).max() <= 21


@pytest.mark.parametrize(
    ("scores", "expected"),
    [([1.0], [10]), ([2.0] * 50, [10] * 50), ([0.0] * 50 + [1.0] * 50, [5] * 50 + [15] * 50)],
    ids=["one", "all", "halves"],
)
def test_equal_scores_are_in_the_middle_and_not_the_best(scores: list[float], expected: list[int]) -> None:
    assert web_scores.middle_buckets(scores).tolist() == expected


def test_the_bucket_is_the_largest_over_scorers() -> None:
    up = np.arange(100.0)
    stays = np.ones(100, dtype=bool)
    stays[10] = False
    found = web_scores.best_buckets({"one": up, "other": -up}, stays)
    assert (found[0], found[10], found[99]) == (19, -1, 19)
    assert found[50] < 12
    assert web_scores.best_buckets({"one": up[:2]}, np.zeros(2, dtype=bool)).tolist() == [-1, -1]
