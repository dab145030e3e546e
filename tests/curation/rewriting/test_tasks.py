"""Segments and the books of what was dropped, with a writer that does what the test says."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.corpora import cards
from nemo_lab.curation.rewriting import tasks as web
from nemo_lab.curation.rewriting.writer import Reply
from nemo_lab.errors import LabError
from tests.card_tables import cells
from tests.recorders import assert_seed_decides


def words(text):
    return len(text.split())


class Words:
    """A writer that counts words and answers by a function of the segment."""

    def __init__(self, answer):
        self.answer, self.prompts = answer, []

    def count(self, text):
        return words(text)

    def write(self, prompts, max_new_tokens):
        self.prompts += prompts
        replies = []
        for prompt in prompts:
            segment = prompt.text.split("Text:\n", 1)[1]
            text = f"{prompt.opening} {self.answer(segment)}".strip()
            replies.append(Reply(text, words(text), words(text) < max_new_tokens))
        return replies


def task(name, **limits):
    return replace(web.TASKS[name], **limits)


LINES = st.lists(st.lists(st.sampled_from(["a", "bb", "ccc"]), min_size=0, max_size=12).map(" ".join), max_size=12)


@given(LINES, st.integers(6, 20))
@settings(max_examples=100, deadline=None)
def test_segments_pack_neighbours_and_leave_out_only_what_is_too_long(lines, payload):
    asked = task("distill", segment=1)
    asked = replace(asked, max_input=words(web.prompt_of(asked, "").text) + 2 + payload)
    found = list(web.segments("\n".join(lines), asked, words))
    assert all(1 <= words(segment) <= payload for segment in found)
    assert " ".join(found).split() == " ".join(line for line in lines if words(line) <= payload).split()
    for one, two in pairwise(found):  # greedy: the next line did not fit
        assert words(one) + words(two.split("\n")[0]) > payload


def test_short_segments_and_documents_are_left_out():
    assert list(web.segments("too short", task("diverse_qa"), words)) == []
    result = web.rephrase(["x " * 29, "y " * 40], task("diverse_qa"), Words(lambda s: "no"))
    assert result.dropped == {"document too short": 1, "no pairs": 1}
    with pytest.raises(LabError, match="too few; raise max_input"):
        list(web.segments("a", task("distill", max_input=20), words))


def test_the_sheet_s_table_of_limits():
    table = {name: (t.document, t.segment, t.max_input, t.max_output, t.final) for name, t in web.TASKS.items()}
    assert table == {
        "wikipedia": (5, 5, 512, 512, 50),
        "diverse_qa": (30, 30, 1000, 600, 100),
        "distill": (30, 10, 2000, 1600, 50),
        "extract_knowledge": (30, 30, 1400, 1400, 50),
        "knowledge_list": (30, 30, 1000, 600, 50),
    }


def test_wikipedia_joins_the_segments_of_a_document():
    asked = task("wikipedia", final=4)
    asked = replace(asked, max_input=words(web.prompt_of(asked, "").text) + 2 + 6)
    writer = Words(lambda segment: segment.upper())
    result = web.rephrase(["one two three\nfour five six\nseven eight nine ten five", "a b c d e"], asked, writer)
    assert result.texts == ["ONE TWO THREE\nFOUR FIVE SIX\nSEVEN EIGHT NINE TEN FIVE", "A B C D E"]
    assert result.sources == [0, 1]
    assert result.segments == len(writer.prompts) == 3
    assert all(prompt.text.endswith(("six", "five", "e")) for prompt in writer.prompts)


def test_other_tasks_keep_segments_apart_and_every_segment_is_in_the_books():
    asked = task("distill", final=3, segment=3, document=3)
    asked = replace(asked, max_input=words(web.prompt_of(asked, "").text) + 2 + 4)
    answers = {"a a a a": "fine and long enough", "b b b b": "short", "c c c c": ""}
    result = web.rephrase(["a a a a\nb b b b", "c c c c"], asked, Words(answers.get))
    assert (result.texts, result.sources) == (["fine and long enough"], [0])
    assert result.dropped == {"result too short": 1, "nothing left": 1}
    assert result.segments == len(result.texts) + result.dropped.total()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"texts": "one text"}, "texts is one text, 'one text'"),
        ({"texts": [None]}, "Text 0 of texts is None"),
        ({"task": "distil"}, "Unknown task 'distil', did you mean 'distill'"),
        ({"writer": None}, "writer is None, expected one with `write` and `count`"),
        ({"seed": None}, "seed is None"),
    ],
)
def test_what_cannot_be_rephrased_is_one_sentence(change, words):
    with pytest.raises(LabError, match=words):
        web.rephrase(**{"texts": ["text"], "task": task("distill"), "writer": Words(lambda s: s)} | change)


def test_limits_of_a_task_are_numbers_of_tokens():
    with pytest.raises(LabError, match="max_output is -1; it must be a whole number of at least 0"):
        task("distill", max_output=-1)


REPHRASED = cards.card_path("web-rephrasings").read_text(encoding="utf-8")


def test_the_limits_are_those_of_the_tasks():
    found = {name: tuple(map(int, limits)) for name, _, *limits in cells(REPHRASED)}
    tasks = web.TASKS
    assert found == {name: (t.max_input, t.max_output, t.final) for name, t in tasks.items()}
    low = {name for name, of, *_ in cells(REPHRASED) if "worst" in of}
    assert low == {name for name in web.PUBLISHED_TOKENS["low"] if name != "raw"}
    assert all(f"`{name}`" in REPHRASED for name in ("texts", "sources", "invented", "dropped"))


def test_the_seed_decides_which_pairs_of_questions_and_answers_are_kept():
    pairs = "\n\n".join(f"Question: Why {n}?\nAnswer: Because {n} is so." for n in range(12))
    text = " ".join(f"word{n}" for n in range(90))

    def kept(seed):
        return web.rephrase([text] * 3, task("diverse_qa", final=1), Words(lambda segment: pairs), seed).texts

    assert_seed_decides(kept)
    first, *others = kept(0)
    assert any(first != other for other in others), "each segment has a draw of its own"
