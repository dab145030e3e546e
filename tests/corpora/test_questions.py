"""Question sets: rows are read as they stand, malformed ones are counted, and the real sets are what they claim."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nemo_lab.corpora import questions
from nemo_lab.corpora.packages import fetch
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.corpora.questions import expand, read_questions
from nemo_lab.errors import LabError

CHOICE = "evals/registry/data/fcc_amateur_extra/samples.jsonl"
OPEN = "evals/registry/data/determinant/samples.jsonl"
QUIZ = "usr/share/games/bsdgames/quiz/"


def sample(content: object, ideal: object) -> bytes:
    return json.dumps({"input": [{"role": "system", "content": "Do."}, {"content": content}], "ideal": ideal}).encode()


@pytest.fixture
def read(tmp_path, write_archive):
    """A function that reads a set out of an archive of these files."""

    def from_files(name: str, files: dict[str, bytes], suffix: str = "whl"):
        return read_questions(name, write_archive(tmp_path / f"sample.{suffix}", files))

    return from_files


@pytest.mark.parametrize("ideal", ["B", "[B]", ["B"], "(B)", "the correct answer is (B)", ["B", "b."]])
@pytest.mark.parametrize("form", ["{}. {}", "({}) {}", "{}) {}", "{} - {}"])
def test_options_are_split_off(read, ideal, form):
    options = "\n".join(
        form.format(letter, text) for letter, text in zip("ABC", ["red", "blue sky", "1.5"], strict=True)
    )
    rows, left_out = read("radio-exam", {CHOICE: sample(f"Which?\n A. not one\nOf:\n{options}\n", ideal)})
    assert not left_out
    assert rows == [
        {
            "question": "Which?\n A. not one\nOf:",
            "answer": "blue sky",
            "options": ["red", "blue sky", "1.5"],
            "accepted": ["blue sky"],
            "domain": "radio-exam",
        }
    ]


def test_malformed_rows_are_counted(read):
    good = sample("Which?\nA. x\nB. y", "A")
    lines = {
        "not a sample": [
            b"{",
            b"[]",
            b"null",
            b"\xff\xfe",
            b'{"input": []}',
            sample(5, "A"),
            sample("?", 3),
            b"[" * 9999,
        ],
        "empty question or answer": [sample("  ", "A"), sample("Which?\nA. x\nB. y", " "), sample("A. x\nB. y", "A")],
        "options not in order": [sample("Which?", "A"), sample("Which?\nA. x", "A"), sample("Which?\nA. x\nC. y", "A")],
        "options repeated": [sample("Which?\nA. x\nB. x", "A")],
        "no right option": [sample("Which?\nA. x\nB. y", "C"), sample("Which?\nA. x\nB. y", "A or B")],
        "asked before": [good],
    }
    content = b"\n\n".join([good, *(line for group in lines.values() for line in group)])
    rows, left_out = read("radio-exam", {CHOICE: content})
    assert len(rows) == 1
    assert left_out == {reason: len(group) for reason, group in lines.items()}


def test_open_rows_keep_the_answer_as_it_stands(read):
    rows, _ = read("determinants", {OPEN: sample("[[-3]]", ["-3.00", "-3"])})
    assert rows[0]["question"] == "Determinant of [[-3]], to two decimals?"
    assert (rows[0]["answer"], rows[0]["accepted"], rows[0]["options"]) == ("-3.00", ["-3.00", "-3"], [])


def test_quiz_lines_become_open_questions(read):
    files = {
        QUIZ + "africa": b"Kenya:Nairobi\nEgypt:[El |]Cairo|al-Qahira\nC[^\bo|o]te:Y\n\nlonely\nMali:\n",
        QUIZ + "posneg": b"on:off\nlong \\\nline:short\nto be{\\:}:not{, to be}\nx{:y\non:off\n",
        QUIZ + "index": b"/africa:Africa{n}:cap{ital}\n",
        QUIZ + "seq-easy": b"1,2,3:4{(integers)}:integers\n",
    }
    rows, left_out = read("trivia", files, "deb")
    assert {row["question"]: row["answer"] for row in rows} == {
        "What is the capital of Kenya?": "Nairobi",
        "What is the capital of Egypt?": "El Cairo",
        "posneg: on": "off",
        "posneg: long line": "short",
        "posneg: to be:": "not, to be",
        "Which number is next: 1,2,3?": "4",
    }
    assert rows[1]["accepted"] == ["El Cairo", "Cairo", "al-Qahira"]
    assert left_out == {
        "overstruck letters": 1,
        "one field": 1,
        "empty question or answer": 1,
        "brackets do not match": 1,
        "asked before": 1,
    }


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("Vienna|Wien", ["Vienna", "Wien"]),
        ("Brussel{s}", ["Brussels", "Brussel"]),
        (
            "{The }Merchant{ of Venice{ IV-i}}",
            ["The Merchant of Venice IV-i", "The Merchant of Venice", "The Merchant"],
        ),
        ("W[illia|]m [I|1]", ["William I", "William 1", "Wm I", "Wm 1"]),
        (r"a\|b", ["a|b"]),
        ("{a", []),
        ("a]", []),
        ("[a}", []),
        ("a\\", []),
        ("{" * 900, []),
        ("[a|b]" * 190, ["a" * 190]),
    ],
)
def test_patterns_are_expanded(pattern, texts):
    assert expand(pattern)[: len(texts)] == texts
    assert len(expand(pattern)) <= questions.FORMS
    assert bool(expand(pattern)) is bool(texts)


@given(pattern=st.text(alphabet="ab {}[]|\\", max_size=30))
def test_no_pattern_raises(pattern):
    found = expand(pattern)
    assert len(set(found)) == len(found) <= questions.FORMS


def test_mistakes_are_named(read):
    with pytest.raises(LabError, match="Unknown set of questions 'trivial', did you mean 'trivia'"):
        read_questions("trivial")
    with pytest.raises(LabError, match=r"holds no questions under .* left out: \{'not a sample': 1\}"):
        read("radio-exam", {CHOICE: b"{"})
    with pytest.raises(LabError, match="holds no questions"):
        read("radio-exam", {"other": b""})


def test_every_set_is_in_the_manifest_as_questions():
    for chosen in questions.SETS.values():
        assert fetch.manifest()[chosen.package].purpose.startswith("questions:")
        assert chosen.licence


@pytest.mark.parametrize(
    ("name", "count", "left_out"),
    [
        ("radio-exam", 591, {}),
        ("diagrams", 1000, {}),
        ("jee-math", 433, {"options not in order": 1}),
        ("determinants", 384, {"asked before": 16}),
        ("trivia", 1509, {"overstruck letters": 19, "asked before": 24, "empty question or answer": 3}),
    ],
)
def test_the_real_set_is_as_promised(name, count, left_out):
    try:
        found = questions.questions(name)
    except PackageError as error:
        pytest.skip(str(error))
    assert found.column_names == ["question", "answer", "options", "domain", "accepted"]
    assert len(found) == count
    assert read_questions(name)[1] == left_out
    assert set(found["domain"]) == {name}
    for row in found:
        assert row["question"].strip()
        assert row["answer"] in (row["options"] or [row["answer"]])
        assert row["answer"] in row["accepted"]
        assert len(row["options"]) in (0, 4)
