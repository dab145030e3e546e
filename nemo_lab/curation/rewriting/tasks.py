"""Nemotron-CC's five ways to say a text again, with what goes in, what comes out and what is dropped.

    pieces = segments(text, TASKS["distill"], writer)            # lines packed up to the task's limit
    result = rephrase(texts, TASKS["distill"], writer)           # Rephrased: texts, their sources, reasons of the rest

(arXiv 2412.02595, section 2.3 and appendix H; limits from NVIDIA's code.) The tasks are the paper's, the wording is
ours. Lines longer than the limit are left out and neighbouring lines are packed, because longer inputs gave
over-simplified outputs. What becomes of the replies is in `replies`; every reason to drop one is counted.

All limits are in tokens of the writer.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from nemo_lab.curation.rewriting.replies import CUT_OFF_ROOM, clean, invented
from nemo_lab.curation.rewriting.writer import Writer, WriterPrompt
from nemo_lab.errors import LabError, check_texts, check_whole, one_of


@dataclass(frozen=True)
class Task:
    """One way to rephrase; all limits in the writer's tokens.

    Attributes:
        instruction: what is asked; the text follows it. opening: what the reply has to begin with, removed later.
        document, segment: documents and segments with fewer tokens are not used.
        max_input: of a prompt, its instruction included. max_output: of a reply. final: least of a result.
    """

    name: str
    instruction: str
    opening: str
    document: int
    segment: int
    max_input: int
    max_output: int
    final: int

    def __post_init__(self) -> None:
        """Refuse limits that are no numbers of tokens."""
        for name in ("document", "segment", "max_input", "max_output", "final"):
            check_whole(name, getattr(self, name), 0)


_TASKS = (
    Task(
        "wikipedia",
        "Write the following text again in clear and well-formed English, as an encyclopedia would put it. Keep every "
        'fact and add none. Begin with "Here is a rewritten version:".',
        "Here is a rewritten version:",
        5,
        5,
        512,
        512,
        50,
    ),
    Task(
        "diverse_qa",
        "Read the text and write up to eight questions about it with their answers. Mix the forms: yes or no, open "
        "questions with why and how, choices among options, comparisons, reading comprehension, problems to solve. "
        'Answer from the text alone. Put each pair on two lines, beginning with "Question:" and "Answer:".',
        "",
        30,
        30,
        1000,
        600,
        100,
    ),
    Task(
        "distill",
        "Write a shorter version of the text that keeps the facts, terms and reasoning and leaves out what is said "
        'twice. Add nothing. Begin with "Here is the condensed text:".',
        "Here is the condensed text:",
        30,
        10,
        2000,
        1600,
        50,
    ),
    Task(
        "extract_knowledge",
        "Take the knowledge out of the text and write it as passages of a textbook. Leave out what informs about "
        "nothing, such as advertising, navigation and greetings. Add no facts of your own.",
        "",
        30,
        30,
        1400,
        1400,
        50,
    ),
    Task(
        "knowledge_list",
        'List the facts, terms and relations that the text states, one a line, each line beginning with "- ". Each '
        "must be understood without the others.",
        "",
        30,
        30,
        1000,
        600,
        50,
    ),
)
TASKS = {task.name: task for task in _TASKS}
# Table 3 of the paper, billions of tokens: raw text and what was made of it.
PUBLISHED_TOKENS = {
    "low": {"raw": 403.0, "wikipedia": 336.3},
    "high": {
        "raw": 451.3,
        "wikipedia": 372.9,
        "diverse_qa": 499.5,
        "distill": 157.6,
        "extract_knowledge": 303.6,
        "knowledge_list": 203.2,
    },
}


@dataclass
class Rephrased:
    """What a task made of texts.

    Attributes:
        texts: the results. sources: for each, the number of the text it is of.
        dropped: counts of documents, segments and replies that were not used, by reason.
        segments: how many were written about. tokens: how many were written in all.
        invented: for each result, numbers and names that its source does not hold.
    """

    texts: list[str] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    dropped: Counter[str] = field(default_factory=Counter)
    segments: int = 0
    tokens: int = 0
    invented: list[int] = field(default_factory=list)

    @property
    def faithful(self) -> list[str]:
        """The results in which nothing was found invented."""
        return [text for text, count in zip(self.texts, self.invented, strict=True) if not count]


def prompt_of(task: Task, segment: str) -> WriterPrompt:
    """Return what a writer is asked about a segment."""
    return WriterPrompt(f"{task.instruction}\n\nText:\n{segment}", task.opening)


def segments(text: str, task: Task, count: Callable[[str], int]) -> Iterator[str]:
    """Yield runs of neighbouring lines of at most the task's payload, without lines longer than it.

    The payload is `max_input` minus the instruction minus 2. Segments below the task's least are left out.
    """
    payload = task.max_input - count(prompt_of(task, "").text) - CUT_OFF_ROOM
    if payload < task.segment:
        raise LabError(f"Task {task.name!r} has {payload} tokens for text beside its prompt, too few; raise max_input.")
    packed: list[str] = []
    for line in text.split("\n"):
        if count(line) > payload:
            continue
        if packed and count("\n".join([*packed, line])) > payload:
            yield from _long_enough(packed, task, count)
            packed = []
        packed.append(line)
    yield from _long_enough(packed, task, count)


def rephrase(texts: Sequence[str], task: Task, writer: Writer, seed: int = 0) -> Rephrased:
    """Write texts again by one task, and drop what the paper drops.

    Wikipedia joins a document's segments; Diverse QA puts the pairs behind the segment they are about.

    Args:
        task: one of TASKS, or one of your own (`dataclasses.replace` for other limits).
        seed: decides which pairs of questions and answers are kept.

    Raises:
        LabError: no list of texts, no task, no writer, or a seed that is no whole number.
    """
    texts = check_texts("texts", texts)
    check_whole("seed", seed, 0)
    if not isinstance(task, Task):
        raise LabError(f"{one_of('task', str(task), list(TASKS))} Give the task itself, such as TASKS['distill'].")
    if not hasattr(writer, "write") or not hasattr(writer, "count"):
        raise LabError(
            f"writer is {writer!r:.60}, expected one with `write` and `count`, such as LocalWriter.packaged()."
        )
    result, generator, name = Rephrased(), np.random.default_rng(seed), task.name
    pieces = list(_pieces(texts, task, writer, result.dropped))
    replies = writer.write([prompt_of(task, segment) for _, segment in pieces], task.max_output) if pieces else []
    made: dict[int, list[tuple[str, str]]] = {}
    for number, ((source, segment), reply) in enumerate(zip(pieces, replies, strict=True)):
        written, reason = clean(task, segment, reply, generator, writer.count)
        key = source if name == "wikipedia" else number
        if reason:
            result.dropped[reason] += 1
        else:
            made.setdefault(key, []).append((segment, written))
    owner = {number if name != "wikipedia" else source: source for number, (source, _) in enumerate(pieces)}
    for key, parts in made.items():
        _enter(result, task, owner[key], parts, writer.count)
    result.segments, result.tokens = len(pieces), sum(reply.tokens for reply in replies)
    return result


def _pieces(texts: Sequence[str], task: Task, writer: Writer, dropped: Counter[str]) -> Iterator[tuple[int, str]]:
    for number, text in enumerate(texts):
        if writer.count(text) < task.document:
            dropped["document too short"] += 1
            continue
        found = list(segments(text, task, writer.count))
        if not found:
            dropped["no segment fits"] += 1
        yield from ((number, segment) for segment in found)


def _long_enough(lines: Sequence[str], task: Task, count: Callable[[str], int]) -> Iterator[str]:
    segment = "\n".join(lines).strip()
    if segment and count(segment) >= task.segment:
        yield segment


def _enter(
    result: Rephrased, task: Task, source: int, parts: Sequence[tuple[str, str]], count: Callable[[str], int]
) -> None:
    """Add a document's result, or count it as too short."""
    before, text = ("\n".join(part[at] for part in parts) for at in (0, 1))
    if count(text) < task.final:
        result.dropped["result too short"] += 1
        return
    result.texts.append(text)
    result.sources.append(source)
    result.invented.append(invented(before, text))
