"""What the toggle is tuned on and tried on has no question in common."""

from nemo_lab.studies.reasoning_toggle_rl.chat_data import EVERYDAY, HELD_OUT, OTHER_KINDS, worked_sums


def test_sums_are_right_and_differ():
    rows = worked_sums(60, 0)
    assert len({question for question, _, _ in rows}) == 60
    for question, thought, answer in rows:
        a, b = (int(word.strip("?.")) for word in question.split() if word.strip("?.").isdigit())
        tens, ones = (int(word.strip(".")) for word in thought.split() if word.strip(".").isdigit())
        assert a + b == int(answer) == tens + ones


def test_sums_are_a_function_of_the_seed_and_avoid_what_they_shall():
    tuned = worked_sums(40, 1)
    assert tuned == worked_sums(40, 1) != worked_sums(40, 2)
    held_out = worked_sums(400, 2, avoid={question for question, _, _ in tuned})
    assert not {question for question, _, _ in tuned} & {question for question, _, _ in held_out}


def test_no_question_is_asked_twice():
    questions = [*(question for question, _, _ in EVERYDAY), *HELD_OUT, *OTHER_KINDS]
    assert len(set(questions)) == len(questions) == 32 + 32 + 16


def test_thoughts_are_two_sentences_without_tags():
    for _, thought, answer in (*EVERYDAY, *worked_sums(5, 0)):
        assert thought.count(". ") == 1
        assert thought.endswith(".")
        assert answer
        assert "<" not in thought + answer


def test_a_line_break_in_an_answer_is_one():
    assert any(answer == "def double(x):\n    return 2 * x" for _, _, answer in EVERYDAY)
