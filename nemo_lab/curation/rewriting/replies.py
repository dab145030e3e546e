"""What becomes of a writer's reply: is it whole, without its wrapping, and does it say what its source says?

The paper's clean-up (Nemotron-CC, arXiv 2412.02595, section 2.3; details from NVIDIA's code): drop replies that were
cut off, strip Markdown, require and remove the opening phrase, remove quotation marks round the whole, and for each
task its own rule. What the paper says is missing is a check of facts; `invented` counts numbers and names in a result
that its source does not hold. It finds what was added, not what was turned round or left out.

Relative to the paper: a reply that the writer did not end is dropped whatever its length; the number of pairs that
Diverse QA keeps is drawn from a generator that is given. Two reasons are ours, as small writers give cause for them: a
reply that begins by talking about the text in place of saying it, and one that copies its source.
"""

import re
from collections.abc import Callable
from typing import Protocol

import numpy as np

from nemo_lab.curation.rewriting.fidelity import compare
from nemo_lab.curation.rewriting.writer import Reply

CUT_OFF_ROOM = 2  # tokens between what is allowed and what shows that a text was cut off
_BULLET = re.compile(r"^\s*(?:[-*•+]|\d+[.)])\s+")
_PASSAGE = re.compile(r"\s*Passage\s+\d+\s*:?\s*")
_ASK, _TELL = r"(?:^|\n)[ \t]*[\W\d]*Question[ \d]*[:.)]\W*", r"\n[ \t]*\W*Answer[ \d]*[:.)]\W*"
_PAIR = re.compile(rf"{_ASK}(?P<question>\S.*?)\s*{_TELL}(?P<answer>\S.*?)\s*(?={_ASK}|\Z)", re.DOTALL)
_MARKS = re.compile(r"^#{1,6}\s+|\*\*|__|^```.*$|(?<!\w)[*_](?=\w)|(?<=\w)[*_](?!\w)", re.MULTILINE)
_CHANGED = "(?:re-?written|revised|rephrased|condensed|shortened|summari[sz]ed|edited|improved|simplified)"
_ABOUT = re.compile(
    rf"\W*(?:your (?:text|writing|passage|version)\b|the (?:\w+ )?(?:text|passage) has been {_CHANGED}\b|"
    rf"(?:this is|here is|here's|here’s) (?:a|an|the|your) (?:\w+,? ){{0,3}}?{_CHANGED} (?:and \w+ )?"
    r"(?:version|text|passage|form)\b)",
    re.IGNORECASE,
)
RUN, COPIED = 8, 0.9  # words in a row that the source has; the share of a result that makes it a copy
_NAME = re.compile(r"(?<=[a-z,;] )[A-Z][a-z]{2,}\b")  # a capital inside a sentence


class Asked(Protocol):
    """What is read of a task: `tasks.Task`."""

    @property
    def name(self) -> str:
        """Which of the five."""

    @property
    def opening(self) -> str:
        """The phrase that a reply has to begin with."""

    @property
    def max_output(self) -> int:
        """Most tokens of a reply."""


def clean(
    task: Asked, segment: str, reply: Reply, generator: np.random.Generator, count: Callable[[str], int]
) -> tuple[str, str]:
    """Return (text, '') of a reply that is used, or ('', reason) of one that is not.

    Reasons: 'no reply (why)', 'reply cut off', 'no opening phrase', 'no pairs', 'nothing left', 'talks about the
    text', 'copies its source'.
    """
    if reply.failure:
        return "", f"no reply ({reply.failure})"
    if not reply.ended or reply.tokens > task.max_output - CUT_OFF_ROOM:
        return "", "reply cut off"
    text = unquoted(_MARKS.sub("", reply.text).strip())
    if task.opening and not text.startswith(task.opening):
        return "", "no opening phrase"
    text = unquoted(text[len(task.opening) :].strip())
    if task.name == "diverse_qa":
        text = with_pairs(segment, text, generator, count)
        return text, "" if text else "no pairs"
    if task.name == "extract_knowledge":
        text = "\n".join(line for line in text.split("\n") if not _PASSAGE.fullmatch(line)).strip()
    if task.name == "knowledge_list":
        text = listed(text)
    reason = _fault(segment, text)
    return "" if reason else text, reason


def copied(source: str, text: str) -> float:
    """Return the share of a text's words that stand in runs of RUN words of the source; capitals do not count."""
    own, old = text.lower().split(), source.lower().split()
    runs = {tuple(old[at : at + RUN]) for at in range(len(old) - RUN + 1)}
    starts = [at for at in range(len(own) - RUN + 1) if tuple(own[at : at + RUN]) in runs]
    return len({at + step for at in starts for step in range(RUN)}) / max(1, len(own))


def about_text(text: str) -> bool:
    """Return whether a reply begins by addressing who asked: 'Your text …', 'This is a rewritten version of …'."""
    return _ABOUT.match(text) is not None


def with_pairs(segment: str, text: str, generator: np.random.Generator, count: Callable[[str], int]) -> str:
    """Return the segment with 1 to max(1, ⌊10 tokens / 150⌋) of the reply's pairs behind it, shuffled; '' if none."""
    pairs = [found.group("question", "answer") for found in _PAIR.finditer(text)]
    if not pairs:
        return ""
    most = max(1, 10 * count(segment) // 150)
    wanted = int(generator.integers(1, most + 1))
    chosen = [pairs[at] for at in generator.permutation(len(pairs))[:wanted]]
    return "\n\n".join([segment, *(f"Question: {question}\nAnswer: {answer}" for question, answer in chosen)])


def listed(text: str) -> str:
    """Return a list's items without bullets; a first line that has none is no item."""
    lines = [line for line in text.split("\n") if line.strip()]
    if lines and not _BULLET.match(lines[0]):
        lines = lines[1:]
    return "\n".join(_BULLET.sub("", line).strip() for line in lines)


def unquoted(text: str) -> str:
    """Return a text without quotation marks round all of it; marks that close inside stay."""
    for left, right in ('""', "“”", "''"):
        inside = text[1:-1]
        if len(text) > 1 and text[0] == left and text[-1] == right and left not in inside and right not in inside:
            return inside.strip()
    return text


def invented(source: str, text: str) -> int:
    """Return how many numbers and names of a text its source does not hold; numbers of its lists do not count.

    A name is a capitalised word inside a sentence; the source may write it with any capitals.
    """
    numbered = "\n".join(_BULLET.sub("", line) for line in text.split("\n"))
    low = source.lower()
    names = {name for name in _NAME.findall(text) if name.lower() not in low}
    return compare(source, numbered).invented_numbers + len(names)


def _fault(segment: str, text: str) -> str:
    if not text:
        return "nothing left"
    if about_text(text):
        return "talks about the text"
    return "copies its source" if copied(segment, text) >= COPIED else ""
