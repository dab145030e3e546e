"""What becomes of replies: whole ones lose their wrapping, the others are dropped by a reason."""

from dataclasses import replace

import numpy as np
import pytest

from nemo_lab.curation.rewriting import tasks as web
from nemo_lab.curation.rewriting.replies import about_text, clean, copied, invented, listed, unquoted, with_pairs
from nemo_lab.curation.rewriting.writer import Reply


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


def cleaned(name, text, tokens=10, ended=True, segment="s " * 40):
    return clean(web.TASKS[name], segment, Reply(text, tokens, ended), np.random.default_rng(0), words)


@pytest.mark.parametrize(
    ("name", "text", "outcome"),
    [
        ("distill", 'Here is the condensed text: "A **bold** claim."', ("A bold claim.", "")),
        ("distill", "Sure! Here is the condensed text: A.", ("", "no opening phrase")),
        ("wikipedia", "Here is a rewritten version:\n\n# Head\nA *bit* and 2 * 3.", ("Head\nA bit and 2 * 3.", "")),
        ("wikipedia", "Here is a rewritten version:", ("", "nothing left")),
        ("extract_knowledge", "Passage 1:\nIron rusts.\nPassage 2\nGold not.", ("Iron rusts.\nGold not.", "")),
        ("knowledge_list", "Facts:\n- Iron rusts.\n* Gold not.\n3. Tin?", ("Iron rusts.\nGold not.\nTin?", "")),
        ("diverse_qa", "I cannot help.", ("", "no pairs")),
    ],
)
def test_replies(name, text, outcome):
    assert cleaned(name, text) == outcome


def test_a_reply_at_the_limit_was_cut_off():
    good = "Here is the condensed text: A."
    assert cleaned("distill", good, tokens=1598)[1] == ""
    assert cleaned("distill", good, tokens=1599)[1] == "reply cut off"
    assert cleaned("distill", good, ended=False)[1] == "reply cut off"


PAIRS = (
    "Question: Why one?\nAnswer: Because.\n\n2. **Question:** Is it two?\n**Answer:** Yes, it is\nindeed.\n\n"
    "Question 3: Three?\nAnswer 3: No."
)


def test_pairs_are_parsed_and_numbered_by_the_segment_s_length():
    counts = set()
    for seed in range(60):
        text = with_pairs("s " * 45, PAIRS, np.random.default_rng(seed), words)
        head, *pairs = text.split("\n\n")
        assert head == "s " * 45
        assert set(pairs) <= {
            "Question: Why one?\nAnswer: Because.",
            "Question: Is it two?\nAnswer: Yes, it is\nindeed.",
            "Question: Three?\nAnswer: No.",
        }
        assert len(set(pairs)) == len(pairs)
        counts.add(len(pairs))
    assert counts == {1, 2, 3}  # 10 * 45 / 150
    for seed in range(20):
        assert with_pairs("s " * 10, PAIRS, np.random.default_rng(seed), words).count("Question:") == 1


def test_wrapping():
    assert unquoted('"all of it"') == "all of it"
    assert unquoted('"He" said "no"') == '"He" said "no"'
    assert unquoted("“x”") == "x"
    assert listed("- a\n\n- b") == "a\nb"
    assert listed("") == ""


def test_invented_finds_what_was_added():
    source = "In 1969 two people walked on the Moon; ARMSTRONG was the first."
    assert invented(source, "The first on the Moon, in 1969, was Armstrong.") == 0
    assert invented(source, "The first on the Moon, in 1970, was Aldrin.") == 2
    assert invented(source, "1. Two people walked.\n2. One was first.") == 0
    result = web.rephrase([source * 9], task("distill", final=1), Words(lambda s: "In 1971 it was."))
    assert result.invented == [1]
    assert result.faithful == []


ABOUT = [
    "Your text is a perfect example of how to make a text more engaging.",
    "This is a rewritten version of the original text.",
    "Here is a revised and improved version:\nIron rusts.",
    "The text has been rewritten to be clearer.",
]


@pytest.mark.parametrize("text", ABOUT)
def test_a_reply_about_the_text_is_dropped(text):
    assert about_text(text)
    assert cleaned("extract_knowledge", text) == ("", "talks about the text")
    assert cleaned("wikipedia", f"Here is a rewritten version: {text}") == ("", "talks about the text")


def test_a_reply_that_says_something_is_not_about_the_text():
    for text in (
        "The text has been kept in Dublin since 1661.",
        "This is a revised Bible.",
        "Iron rusts; your text does not.",
        "Here is a law of physics.",
        "Yours truly.",
    ):
        assert not about_text(text)


SOURCE = " ".join(f"w{n}" for n in range(100))


def test_a_copy_is_dropped_unless_pairs_stand_behind_it():
    assert cleaned("extract_knowledge", SOURCE.upper(), segment=SOURCE) == ("", "copies its source")
    half = f"{' '.join(SOURCE.split()[:50])} {'new ' * 50}".strip()
    assert copied(SOURCE, half) == 0.5
    assert cleaned("extract_knowledge", half, segment=SOURCE) == (half, "")
    backwards = " ".join(reversed(SOURCE.split()))
    assert copied(SOURCE, backwards) == 0
    assert copied(SOURCE, "") == copied("", SOURCE) == copied("a b", "a b") == 0
    assert cleaned("diverse_qa", PAIRS, segment=SOURCE)[0].startswith(SOURCE)
