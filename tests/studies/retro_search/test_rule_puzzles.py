"""The puzzle: deterministic, without leakage, and with traces that are right, needlessly long, and in the codec."""

import json
import statistics
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.corpora import cards
from nemo_lab.reasoning.retro.thoughts import segment, split_steps
from nemo_lab.studies.registry import SETTINGS
from nemo_lab.studies.retro_search import rule_puzzles
from nemo_lab.studies.retro_search import rule_puzzles as rp
from tests.card_tables import rows
from tests.reasoning.refusals import Call, refused
from tests.recorders import assert_seed_decides

puzzles = st.builds(
    rp.puzzle,
    st.integers(0, 99),
    st.sampled_from(rp.SPLITS),
    st.integers(0, 10**6),
    st.integers(2, 5),
    st.integers(2, 6),
)


@given(puzzles, st.floats(0, 1), st.integers(0, 9))
def test_traces_are_right_in_every_step(one: rp.Puzzle, leave: float, seed: int) -> None:
    trace = rp.attempt(one, leave, seed)
    assert rp.is_correct(one, trace)
    assert rp.is_sound(one, trace)
    assert trace == rp.attempt(one, leave, seed)


@given(puzzles, st.floats(0, 1))
def test_the_codec_gives_texts_back(one: rp.Puzzle, leave: float) -> None:
    codec = rp.codec()
    for text in (one.prompt, rp.attempt(one, leave)):
        assert codec.decode(codec.encode(text)) == text


@given(puzzles)
def test_one_rule_leads_to_the_goal(one: rp.Puzzle) -> None:
    ends = {rule: rp.run(rule, one.start, one.hops)[-1] for rule in one.rules}
    assert [rule for rule, end in ends.items() if end == one.goal] == [one.right]


@given(puzzles)
def test_a_prompt_can_be_read_back(one: rp.Puzzle) -> None:
    assert rp.read(one.prompt, one.hops) == one


@given(puzzles)
def test_a_patient_trier_tries_each_rule_once(one: rp.Puzzle) -> None:
    thoughts = segment(rp.attempt(one, 0.0), rp.SWITCHES)
    assert len(thoughts) <= len(one.rules)
    assert all(len(thought) == one.hops for thought in thoughts[:-1])
    assert len(thoughts[-1]) == one.hops + 1  # the answer is its last step


def test_impatience_makes_traces_longer_by_switches_that_were_not_needed() -> None:
    some = [rp.puzzle(7, "train", i) for i in range(200)]
    steps = {p: statistics.mean(len(split_steps(rp.attempt(one, p))) for one in some) for p in (0.0, 0.8)}
    assert steps[0.8] > 1.2 * steps[0.0]


def test_a_puzzle_is_a_function_of_seed_split_and_index() -> None:
    assert rp.puzzle(1, "train", 5) == rp.puzzle(1, "train", 5)
    assert len({rp.puzzle(s, split, i).prompt for s in (1, 2) for split in rp.SPLITS for i in range(20)}) > 75


def test_no_puzzle_is_in_both_splits() -> None:
    def content(one: rp.Puzzle) -> tuple[object, ...]:
        return one.start, one.goal, frozenset(one.rules)

    train = {content(rp.puzzle(s, "train", i)) for s in range(3) for i in range(2000)}
    test = {content(rp.puzzle(s, "test", i)) for s in range(3) for i in range(500)}
    assert not train & test
    assert len(test) > 300


@pytest.mark.parametrize(
    ("change", "correct", "sound"),
    [
        (lambda t: t, True, True),
        (lambda t: t.rsplit(" ", 1)[0], False, False),  # no answer
        (lambda t: t + "\n\n20+9=29", False, False),  # goes on behind it
        (lambda t: t + " or x2", False, False),
        (lambda t: "so " + t.rsplit(" ", 1)[1], True, False),  # a guess
        (lambda t: "\n\n".join([*t.split("\n\n")[:-2], t.split("\n\n")[-1]]), True, False),  # a step is missing
        (lambda t: t.replace("=", "=9", 1), True, False),
        (lambda t: t.replace(" vs ", " vs 9", 1), True, False),  # not the goal
        (lambda t: "", False, False),
    ],
)
def test_the_checker_and_the_stricter_one(change: object, correct: bool, sound: bool) -> None:
    one = rp.puzzle(3, "test", 1)
    trace = change(rp.attempt(one, 0.0))  # type: ignore[operator]
    assert (rp.is_correct(one, trace), rp.is_sound(one, trace)) == (correct, sound)


@pytest.mark.parametrize(
    ("prompt", "words"),
    [("2+2=", "is no prompt"), ("+8 x2:06?07=", "0 rules lead"), ("+8 +8:00?07=", "2 rules lead")],
)
def test_what_is_no_puzzle_is_refused(prompt: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rp.read(prompt)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [((0, "dev", 0), "train or test"), ((0, "train", 0, 1), "rules is 1"), ((0, "train", 0, 3, 1), "hops is 1")],
)
def test_bad_input_is_refused(arguments: tuple[int, str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        rp.puzzle(*arguments)


TRACES = cards.card_path("retro-traces").read_text(encoding="utf-8")
RECORD = Path(__file__).parents[3] / "notebooks/records/11_retro_search.laptop.json"


def test_the_revised_traces_are_as_much_shorter_as_the_record_says():
    values = json.loads(RECORD.read_text(encoding="utf-8"))["values"]
    left = {row[0]: row[3].removesuffix(" %") for row in rows("set", TRACES)}
    assert int(left["revised"]) == round(100 - values["data.steps_saved"])
    assert f"traces are {values['data.tokens_saved']:.0f} % shorter" in TRACES
    assert int(left["revised by a smaller model"]) == round(100 - values["weak.data_saved"])


def test_the_puzzles_are_those_of_the_code():
    laptop = SETTINGS["11_retro_search"]["laptop"]
    example = rp.puzzle(0, "train", 9, laptop.rules, laptop.hops)
    assert f"`{example.prompt}` is a prompt and `{example.answer}` its answer" in TRACES
    assert (laptop.rules, laptop.hops, rp.TEST_SHARE) == (3, 3, 0.2), "three rules, three times, one in five"
    assert f"modulo {rp.MODULUS}" in TRACES
    assert f"up to {laptop.questions} a seed" in TRACES
    assert f"`leave` {laptop.leave}" in TRACES
    assert f"a code of {rp.codec().vocab_size}\ntokens" in TRACES


@pytest.mark.parametrize(
    "call",
    [
        lambda: rule_puzzles.puzzle(0, "all", 1),
        lambda: rule_puzzles.puzzle(0, "train", 1, rules=99),
        lambda: rule_puzzles.puzzle(0, "train", 1, hops=None),  # type: ignore[arg-type]
    ],
)
def test_a_puzzle_that_cannot_be(call: Call) -> None:
    refused(call)


def test_the_seed_decides_puzzle_and_habit() -> None:
    assert_seed_decides(lambda seed: [rp.puzzle(seed, "train", i).prompt for i in range(4)])
    many = [rp.puzzle(0, "train", i) for i in range(20)]
    assert_seed_decides(lambda seed: [rp.attempt(one, 0.8, seed) for one in many])
