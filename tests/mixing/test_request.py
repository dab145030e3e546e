"""What `nemo-lab climbmix` is asked for is checked before anything is trained, and what is left out is told."""

import json

import datasets
import pandas as pd
import pytest

from nemo_lab.mixing import request
from nemo_lab.mixing.pools import MixingError

SIZES = (1000, 40)  # bytes of a packaged source, and of the goal


def write(path, texts):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


@pytest.fixture
def own(tmp_path):
    write(tmp_path / "own" / "a.jsonl", ["first text", "second text", "first text"])
    write(tmp_path / "own" / "b.jsonl", ["third text", "a goal text"])
    write(tmp_path / "goal.jsonl", ["a goal text"])
    return tmp_path


def read(own, sources=("own",), goal="goal.jsonl", out="mix", seed=0):
    lines = []
    paths = [str(own / name) for name in sources]
    found = request.read_request(paths, str(own / goal), "", own / out, SIZES, seed, lines.append)
    return found, lines


def test_repeated_texts_and_texts_of_the_goal_are_left_out_and_counted(own):
    (dataset, goal, reference), lines = read(own)
    assert dataset["text"][:] == ["first text", "second text", "third text"]
    assert goal == ["a goal text"]
    assert reference is None
    assert lines[0] == "2 of 5 documents are left out: repeated, or in the goal."
    assert any("1 of 1 texts of the goal are used, 11 of 11 bytes" in line for line in lines)


def test_a_large_goal_is_sampled_by_the_seed_and_said_so(own):
    texts = [f"goal number {i:02d}" for i in range(30)]
    write(own / "large.jsonl", texts)
    (_, goal, _), lines = read(own, goal="large.jsonl")
    assert 1 <= len(goal) < 30
    assert sum(map(len, goal)) <= SIZES[1]
    assert set(goal) <= set(texts)
    said = f"{len(goal)} of 30 texts of the goal are used, {len(goal) * 14} of 420 bytes (this scale reads about 40)."
    assert said in lines
    assert read(own, goal="large.jsonl")[0][1] == goal
    assert read(own, goal="large.jsonl", seed=1)[0][1] != goal


def test_a_source_of_few_documents_and_one_that_only_repeats_are_told(own):
    write(own / "rich.jsonl", [f"text {i}" for i in range(12)])
    write(own / "poor.jsonl", ["one", "two", "three"])
    write(own / "echo.jsonl", [f"text {i}" for i in range(12)])
    _, lines = read(own, sources=("rich.jsonl", "poor.jsonl", "echo.jsonl"))
    small = [line for line in lines if "source" in line]
    assert len(small) == 2
    assert "the source 'poor.jsonl' has 3 documents" in small[0]
    assert "no document of the source 'echo.jsonl' is left" in small[1]


def test_a_packaged_goal_is_stated_too(own, monkeypatch):
    given = datasets.Dataset.from_dict({"text": ["first text"] * 12, "corpus": ["own"] * 12})
    monkeypatch.setattr(request, "read_sources", lambda *args: (given, ["law one", "law two"], None))
    lines = []
    request.read_request([str(own / "own")], "law", "", own / "mix", SIZES, 0, lines.append)
    assert "2 texts, 14 bytes, of the validation split of 'law' are the goal." in lines


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sources": ("own", "own")}, "stands twice"),
        ({"sources": ("own", "own/../own")}, "stands twice"),
        ({"sources": ("own", "own/a.jsonl")}, "inside another source"),
        ({"goal": "own"}, "are the same text"),
        ({"goal": "own/a.jsonl"}, "are the same text"),
        ({"sources": ("own/a.jsonl",), "goal": "own"}, "are the same text"),
        ({"out": "own/mix"}, "choose another place"),
        ({"sources": ("goal-again.jsonl",)}, "No document is left"),
    ],
)
def test_what_cannot_be_meant_is_refused(own, changes, words):
    write(own / "goal-again.jsonl", ["a goal text"])
    with pytest.raises(MixingError, match=words):
        read(own, **changes)


@pytest.mark.parametrize(("got", "warned"), [([0.5, 0.5], False), ([0.52, 0.48], False), ([0.7, 0.3], True)])
def test_shares_that_were_missed_are_told(tmp_path, got, warned):
    pd.DataFrame({"weight": [0.5, 0.5], "weight_got": got}).to_parquet(tmp_path / "mixture.parquet")
    sentence = request.shortfall(tmp_path)
    assert ("20% of the bytes" in sentence) is warned
    assert bool(sentence) is warned


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sources": "novels"}, "sources is one text, 'novels'"),
        ({"goal": None}, "goal is None, expected the path"),
        ({"out": ""}, "out is '', expected the path"),
    ],
)
def test_what_is_no_request_is_one_sentence(change, words, tmp_path):
    good = {"sources": ["novels"], "goal": "law", "reference": "", "out": tmp_path / "mix"}
    with pytest.raises(MixingError, match=words):
        request.read_request(**good | change, sizes=(10, 10), seed=0, tell=print)
