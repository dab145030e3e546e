"""Prompts, responses and rewards fit together; conversions and filters do what they say, misses counted."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.corpora import cards
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.corpora.questions import SETS, questions, read_questions
from nemo_lab.errors import LabError
from nemo_lab.reasoning.questions import templates
from nemo_lab.reasoning.questions.domains import DOMAINS, draw
from nemo_lab.reasoning.questions.items import Item
from nemo_lab.reasoning.questions.templates import (
    COMBINATIONS,
    END_THINK,
    MODES,
    TEMPLATES,
    THINK,
    Parsed,
    adheres,
    as_choice,
    as_open,
    corrupt,
    filter_reasons,
    gold_letter,
    is_right,
    items_from,
    keep,
    needs_options,
    parse,
    prompt_of,
    response_of,
    reward,
)
from tests.card_tables import rows
from tests.reasoning.refusals import Call, refused

SUM = Item("sum", "347+586", "933", "13,13,09", ("923", "933", "934", "932"))
CHOICE = Item("radio-exam", "What is dither?", "a little noise", options=("a lot", "a little noise", "a knob", "x"))
OPEN = Item("trivia", "What is the capital of Kenya?", "Nairobi")
any_item = st.builds(
    lambda name, seed: draw(name, 1, seed=seed)[0], st.sampled_from(sorted(DOMAINS)), st.integers(0, 10**6)
)
pieces = st.lists(
    st.one_of(st.sampled_from([THINK, END_THINK, "<on>", "<", "think>"]), st.text(max_size=5)), max_size=8
)


# --- templates


def test_prompts_and_responses_look_as_the_module_shows_them():
    assert prompt_of(SUM, "on") == "<on>347+586="
    assert prompt_of(SUM, "off") == "<off>347+586="
    assert prompt_of(SUM, "on", "choice") == "<on>347+586(A)923(B)933(C)934(D)932="
    assert response_of(SUM, "on") == "<think>13,13,09</think>933"
    assert response_of(SUM, "off") == "933"
    assert response_of(SUM, "on", "choice") == "<think>13,13,09</think>B"
    assert response_of(SUM, "off", "choice") == "B"


@settings(max_examples=60, deadline=None)
@given(
    name=st.sampled_from(sorted(DOMAINS)),
    seed=st.integers(0, 10**6),
    mode=st.sampled_from(MODES),
    template=st.sampled_from(TEMPLATES),
)
def test_the_right_response_is_parsed_and_rewarded(name, seed, mode, template):
    item = draw(name, 1, seed=seed)[0]
    item = as_choice(item, np.random.default_rng(seed)) if template == "choice" else item
    text = response_of(item, mode, template)
    answer = gold_letter(item) if template == "choice" else item.answer
    assert parse(text) == Parsed(mode, item.thought if mode == "on" else "", answer)
    for combine in COMBINATIONS:
        assert reward(item, text, ended=True, mode=mode, template=template, combine=combine) == 1.0
        assert reward(item, text, ended=False, mode=mode, template=template, combine=combine) == 0.0


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("", Parsed("off", "", "")),
        ("<think></think>", Parsed("on", "", "")),
        ("a<think>b</think>c", Parsed("broken", "", "c")),
        (" <think>b</think>c", Parsed("broken", "", "c")),
        ("<think>b</think>c</think>d", Parsed("broken", "", "d")),
        ("<think><think>b</think>c", Parsed("broken", "", "c")),
        ("</think>b<think>", Parsed("broken", "", "b<think>")),
        ("<think>b", Parsed("broken", "", "")),
        ("b</think>933", Parsed("broken", "", "933")),
        ("<think>b</think >c", Parsed("broken", "", "")),
        ("<THINK>b", Parsed("off", "", "<THINK>b")),
    ],
)
def test_responses_in_parts(text, parsed):
    assert parse(text) == parsed


@given(parts=pieces)
def test_any_text_is_parsed(parts):
    text = "".join(parts)
    found = parse(text)
    assert found.mode in ("on", "off", "broken")
    if found.mode == "on":
        assert f"{THINK}{found.thought}{END_THINK}{found.answer}" == text
    if found.mode == "off":
        assert found.answer == text
    assert adheres(text, "on") + adheres(text, "off") == (found.mode != "broken")
    for item in (SUM, OPEN, CHOICE):
        for template in TEMPLATES:
            if template == "open" or item.options:
                assert 0 <= reward(item, text, ended=True, mode="on", template=template) <= 1


@pytest.mark.parametrize(
    ("text", "mode", "product", "mean", "accuracy"),
    [
        ("<think>x</think>933", "on", 1, 1, 1),
        ("<think>x</think>934", "on", 0, 0.5, 0),
        ("933", "on", 0, 0.5, 1),
        ("934", "on", 0, 0, 0),
        ("933", "off", 1, 1, 1),
        ("<think>x</think>933", "off", 0, 0.5, 1),
        ("x</think>933", "on", 0, 0.5, 1),
        ("<think>x933", "on", 0, 0, 0),
        ("933 933", "off", 0, 0.5, 0),
    ],
)
def test_rewards(text, mode, product, mean, accuracy):
    worth = [reward(SUM, text, ended=True, mode=mode, combine=combine) for combine in COMBINATIONS]
    assert worth == [product, mean, accuracy]


def test_answers_from_elsewhere_are_judged_by_kind():
    assert is_right(OPEN, "\n nairobi.")
    assert not is_right(OPEN, "Nairobi, I think")
    assert is_right(Item("determinants", "?", "-3.00"), "−3")
    assert is_right(Item("jee-math", "?", r"\(\frac{1}{2}\)"), "0.5")
    for gold, right, wrong in (
        ("x**2", "x^2", "x^3"),
        ("50%", "1/2", "0.05"),
        ("2π", "6.2831853", "6"),
        ("73", "**73**", "74"),
    ):
        item = Item("jee-math", "?", gold)
        assert is_right(item, right)
        assert not is_right(item, wrong)
    assert is_right(CHOICE, "(B)", "choice")
    assert is_right(CHOICE, " B ", "choice")
    assert not is_right(CHOICE, "b", "choice")
    assert not is_right(CHOICE, "AB", "choice")
    assert not is_right(replace(CHOICE, answer="gone"), "B", "choice")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: prompt_of(SUM, "auto"), "mode 'auto'"),
        (lambda: prompt_of(SUM, "on", "mcq"), "template 'mcq'"),
        (lambda: prompt_of(OPEN, "on", "choice"), "has 0 options"),
        (lambda: response_of(OPEN, "on", "choice"), "not among the options"),
        (lambda: adheres("x", "broken"), "mode 'broken'"),
        (lambda: reward(SUM, "x", ended=True, mode="on", combine="and"), "combination 'and'"),
        (lambda: as_choice(OPEN, np.random.default_rng(0)), "no three wrong options"),
        (lambda: as_choice(Item("sum", "1+1", "two"), np.random.default_rng(0)), "no three wrong options"),
        (lambda: corrupt([SUM], 1.5, np.random.default_rng(0)), "at least 0 and at most 1"),
        (lambda: corrupt([OPEN], 1, np.random.default_rng(0), visible=0), "No wrong answer is at hand"),
    ],
)
def test_mistakes_are_named(call, words):
    with pytest.raises(LabError, match=words):
        call()


# --- open and choice


@pytest.mark.parametrize("name", DOMAINS)
def test_choices_have_the_right_answer_anywhere(name):
    rng = np.random.default_rng(0)
    places = []
    for item in draw(name, 300, seed=2):
        choice = as_choice(item, rng)
        assert len(set(choice.options)) == 4
        assert sum(is_right(item, option) for option in choice.options) == 1
        assert as_open(choice) == item
        places.append(gold_letter(choice))
    assert {letter: places.count(letter) > 45 for letter in "ABCD"} == dict.fromkeys("ABCD", True)


def test_choices_keep_the_options_of_a_real_question():
    five = replace(CHOICE, options=(*CHOICE.options, "y"))
    choice = as_choice(five, np.random.default_rng(0))
    assert set(choice.options) < set(five.options)
    assert "a little noise" in choice.options


# Labelled by hand: does the question need its options? Most were asked in public exams (radio, security, logic).
NEED = """
Which of the following types of noise can often be reduced with a digital signal processing noise filter?
Which of the following factors has the greatest effect on the bandwidth of a crystal ladder filter?
Which of the following indicates that a silicon NPN junction transistor is biased on?
Which of the following is a key aspect of security management planning?
Which of the following options, if correct, can best enhance the argument for promotion?
According to the above statement, which of the followings can be inferred?
Which of the followings, if true, can explain the seemingly contradictory attitude of taxi drivers in Beijing?
Which of these is even?
Which one of those animals lays eggs?
All of the following are mammals except
Each of the following is a prime number EXCEPT:
None of the above are metals. True?
Which statement about enzymes is true?
Which option follows from the passage?
Choose the correct spelling.
Select the word that does not belong.
Pick one that rhymes with cat.
The best answer to the customer's question would be
Which sentence best completes the paragraph?
The main exports of Brazil include
Plants are green because
The soldiers _____ the hill at dawn.
From the passage it can be concluded that:
Is option B or option C larger?
Mark all prime numbers.
What is true of both of these: (A) sodium (B) chlorine?
The reasoning in the argument is flawed because the argument
What is the most likely cause of the fire described?
The author would most probably agree with
Identify the odd one out.
""".strip().splitlines()
STAND_ALONE = """
What must be posted at the station location of a station being operated by telecommand?
What is the term for spurious signals generated by the combination of two or more signals in a circuit?
How is power supplied to the most common type of MMIC?
What is deviation ratio?
What is current in the primary winding of a transformer called if no load is attached to the secondary?
What type of logic defines "1" as a high voltage?
Which amateur bands typically support long-path propagation?
What is "dither" with respect to analog-to-digital converters?
What can be done to prevent unwanted oscillations in an RF power amplifier?
What happens to the magnitude of a pure reactance when it is converted to a susceptance?
Which law governs the security of credit card information?
Which act broadened the Federal Wiretap Act and made it a crime to invade electronic privacy?
What are the four main steps of the BCP process?
What is an inference attack?
What is the name for the point where the ISP's equipment stops and the customer's equipment starts?
At which layer of the OSI model does the actual transmission of data occur?
What is the primary purpose of a privacy policy in an organization?
If x = x(y) solves the equation y' = 2x and x(1) = 0, then x(e) is equal to :
Then A + C is equal to ________.
What is the capital of Kenya?
What is the sum of the first ten primes?
Who succeeded George Washington?
How many letters are in the following word: banana?
What is the value of 3 in the number 345?
""".strip().splitlines()


def test_recall_and_precision_of_the_detector():
    """26 of 30 found, 24 of 24 left alone, by rules written with some of the list in view: an upper bound."""
    missed = [question for question in NEED if not needs_options(question)]
    alarms = [question for question in STAND_ALONE if needs_options(question)]
    assert (len(NEED), len(STAND_ALONE)) == (30, 24)
    assert alarms == []
    assert len(missed) == 4, missed
    assert as_open(replace(CHOICE, question=NEED[0])) is None


# --- filters


@pytest.mark.parametrize(
    ("item", "reasons"),
    [
        (SUM, []),
        (CHOICE, []),
        (OPEN, []),
        (replace(SUM, options=()), []),
        (replace(OPEN, answer=" "), ["empty answer"]),
        (replace(CHOICE, answer="both"), ["gold not among options"]),
        (replace(CHOICE, answer=""), ["empty answer", "gold not among options"]),
        (replace(OPEN, answer="a " * 11), ["open answer over 10 words"]),
        (replace(OPEN, answer="a " * 10), []),
        (replace(CHOICE, answer="a " * 11, options=("a " * 11, "b")), []),
        (replace(OPEN, answer="It depends."), ["unverifiable"]),
        (replace(OPEN, answer="answers may vary"), ["unverifiable"]),
        (replace(OPEN, answer="none of the above"), ["unverifiable"]),
        (replace(OPEN, answer="!?"), ["unverifiable"]),
        (Item("sum", "1+1", "two"), ["unverifiable"]),
        (replace(OPEN, question="Which of these is even?", answer="4"), ["ill-posed without options"]),
    ],
)
def test_filters_say_why(item, reasons):
    assert filter_reasons(item) == reasons


def test_filters_count_by_reason():
    bad = [replace(OPEN, answer=""), replace(CHOICE, answer=""), replace(CHOICE, answer="z")]
    kept, counts = keep([SUM, *bad, OPEN])
    assert kept == [SUM, OPEN]
    assert counts == {"empty answer": 2, "gold not among options": 2}


@pytest.mark.parametrize("name", DOMAINS)
@pytest.mark.parametrize("options", [False, True])
def test_the_filters_see_half_of_the_planted_errors(name, options):
    rng = np.random.default_rng(1)
    items = [as_choice(item, rng) if options else item for item in draw(name, 100, seed=4)]
    assert keep(items) == (items, {})
    spoilt = corrupt(items, 0.3, rng)
    wrong = [new for old, new in zip(items, spoilt, strict=True) if new.answer != old.answer]
    assert len(wrong) == 30
    assert all(new.question == old.question for old, new in zip(items, spoilt, strict=True))
    assert len(keep(spoilt)[0]) == 85
    assert sum(bool(filter_reasons(item)) for item in wrong) == 15
    assert len(keep(corrupt(items, 0.3, rng, visible=1.0))[0]) == 70
    assert len(keep(corrupt(items, 0.3, rng, visible=0.0))[0]) == 100
    assert corrupt(items, 0.0, rng) == items


def test_a_wrong_answer_from_another_question():
    items = [OPEN, replace(OPEN, question="What is the capital of Mali?", answer="Bamako")]
    assert {item.answer for item in corrupt(items, 0.5, np.random.default_rng(0), visible=0.0)} in (
        {"Nairobi"},
        {"Bamako"},
    )


def test_rows_become_items():
    rows = [{"question": "Q?", "answer": "a", "options": ["a", "b"], "domain": "d", "accepted": ["a"]}]
    assert items_from(rows) == [Item("d", "Q?", "a", options=("a", "b"))]
    assert items_from([{**rows[0], "options": None}])[0].options == ()
    assert templates.SYSTEM_ON == "detailed thinking on"


CARD = cards.card_path("reasoning-items").read_text(encoding="utf-8")


@pytest.mark.parametrize("row", rows("set", CARD), ids=lambda row: row[0])
def test_the_counts_are_those_of_the_packages(row):
    name, _, read, kept, opened = row
    assert name in SETS
    try:
        items = items_from(questions(name))
    except PackageError as error:
        pytest.skip(str(error))
    assert len(read_questions(name)[0]) == len(items) == int(read.replace(",", ""))
    assert len(keep(items)[0]) == int(kept.replace(",", ""))
    if opened != "–":
        well_posed = [item for item in map(as_open, items) if item]
        assert len(keep(well_posed)[0]) == int(opened)


NAN = math.nan
RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    "call",
    [
        lambda: templates.prompt_of(None, "on"),  # type: ignore[arg-type]
        lambda: templates.response_of(None, "on"),  # type: ignore[arg-type]
        lambda: templates.gold_letter(None),  # type: ignore[arg-type]
        lambda: templates.gold_letter(Item("x", "q", "k", options=tuple("abcdefghijk"))),
        lambda: templates.parse(None),  # type: ignore[arg-type]
        lambda: templates.as_choice(None, RNG),  # type: ignore[arg-type]
        lambda: templates.as_choice(SUM, None),  # type: ignore[arg-type]
        lambda: templates.as_open(None),  # type: ignore[arg-type]
        lambda: templates.needs_options(None),  # type: ignore[arg-type]
        lambda: templates.items_from(None),  # type: ignore[arg-type]
        lambda: templates.items_from([{}]),
        lambda: templates.items_from([{"domain": "x", "question": "q", "answer": None, "options": None}]),
        lambda: templates.filter_reasons(None),  # type: ignore[arg-type]
        lambda: templates.keep(None),  # type: ignore[arg-type]
        lambda: templates.corrupt(None, 0.5, RNG),  # type: ignore[arg-type]
        lambda: templates.corrupt([SUM], None, RNG),  # type: ignore[arg-type]
        lambda: templates.corrupt([SUM], NAN, RNG),
        lambda: templates.adheres(None, "on"),  # type: ignore[arg-type]
        lambda: templates.is_right(SUM, None),  # type: ignore[arg-type]
        lambda: templates.is_right(None, "2"),  # type: ignore[arg-type]
        lambda: templates.reward(SUM, None, ended=True, mode="on"),  # type: ignore[arg-type]
        lambda: templates.reward(None, "2", ended=True, mode="on"),  # type: ignore[arg-type]
    ],
)
def test_what_no_template_takes(call: Call) -> None:
    refused(call)
