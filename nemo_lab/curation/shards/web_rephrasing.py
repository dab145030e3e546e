"""Kept pages written anew by their quality, as Nemotron-CC does: the best in five ways, the worst as an encyclopedia.

Each final shard gets a file of its own in `rephrased/`, which holds the new texts with their sources and, in its
metadata, counts of what was not used and why. A file that is there is never asked for again, so that a run that was
stopped goes on behind it. What a server answers is not the same twice; so each answer is kept until its shard is
whole, and is not asked for again.

The tasks are in English, and so only English pages are written anew; others are counted. A server that fails several
times in a row ends the run with a sentence, and the unfinished shard is asked for again next time.
"""

import contextlib
import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from nemo_lab.curation.rewriting.endpoint import Endpoint, EndpointError
from nemo_lab.curation.rewriting.tasks import TASKS, Rephrased, rephrase
from nemo_lab.curation.rewriting.writer import AskingWriter, LocalWriter, Writer
from nemo_lab.curation.shards import files as shards
from nemo_lab.errors import LabError

FOLDER = "rephrased"
PLAN = {"high": tuple(TASKS), "low": ("wikipedia",)}
PATIENCE = 5  # failures of a server in a row
_COUNTS = b"counts"
_LANGUAGE = "en"
_NAMES = ("text", "url", "source", "language", "quality", "task")
SCHEMA = pa.schema([*((name, pa.string()) for name in _NAMES), ("bucket", pa.int8()), ("invented", pa.int32())])


@dataclass
class PatientAsk:
    """A function that asks, until the server failed so often in a row that it is left alone.

    Attributes:
        ask: raises `EndpointError` where there is no answer.
        failures: in a row so far. reason: of the last one.
        kept: answers by the digest of their prompt. place: the file that they are kept in, None for none.
    """

    ask: Callable[[str], str]
    failures: int = 0
    reason: str = ""
    kept: dict[str, str] = field(default_factory=dict)
    place: Path | None = None

    @property
    def given_up(self) -> bool:
        """Whether the server is left alone."""
        return self.failures >= PATIENCE

    def __call__(self, prompt: str) -> str:
        """Return the answer to a prompt."""
        digest = hashlib.sha256(prompt.encode("utf-8", "replace")).hexdigest()
        if digest in self.kept:
            return self.kept[digest]
        if self.given_up:
            raise EndpointError(self.reason)
        try:
            answer = self.ask(prompt)
        except EndpointError as error:
            self.failures, self.reason = self.failures + 1, error.reason
            raise
        self.failures = 0
        self._keep(digest, answer)
        return answer

    def keep_in(self, place: Path) -> None:
        """Keep answers in a file from now on, and take over those that it holds; a last line cut by a kill is none."""
        self.place, self.kept = place, {}
        for line in place.read_bytes().splitlines() if place.is_file() else ():
            with contextlib.suppress(ValueError):
                self.kept.update([json.loads(line)])

    def _keep(self, digest: str, answer: str) -> None:
        if self.place is not None:
            with self.place.open("a", encoding="utf-8") as stream:
                stream.write("\n" + json.dumps([digest, answer]))


def open_writer(name: str, model: str = "", key: str = "") -> Writer:
    """Return who writes: a server by its address, or a packaged chat model or a folder that holds one.

    Raises:
        LabError: neither an address nor a model.
    """
    if not name.startswith(("http://", "https://")):
        return LocalWriter.packaged(name)
    longest = max(task.max_output for task in TASKS.values())
    endpoint = Endpoint(name, model or "default", key, temperature=0.5, top_p=0.9, max_tokens=longest)
    return AskingWriter(PatientAsk(endpoint.ask), tokens)


def tokens(text: str) -> int:
    """Return about how many tokens a text has where no tokenizer is at hand: one for four characters."""
    return -(-len(text) // 4)


def write_anew(piece: Path, out: Path, writer: Writer, work: Path) -> None:
    """Write the rephrasings of a final shard to `out`, unless that file is there; `work` holds answers until then.

    Raises:
        LabError: the server does not answer.
    """
    if out.is_file():
        return
    ask = getattr(writer, "ask", None)
    if isinstance(ask, PatientAsk):
        ask.keep_in(work / f"answers-{piece.stem}.jsonl")
    pages = pq.read_table(piece).to_pylist()
    rows: list[dict[str, Any]] = []
    counts: dict[str, Counter[str]] = {}
    for label, names in PLAN.items():
        chosen = [page for page in pages if page["quality"] == label]
        texts = [page for page in chosen if page["language"] == _LANGUAGE]
        for name in names:
            made = rephrase([page["text"] for page in texts], TASKS[name], writer)
            _check_answered(writer)
            rows += _rows(texts, name, made)
            counts[f"{label}, {name}"] = _counted(made) + Counter({"not English": len(chosen) - len(texts)})
    stored = {name: {reason: number for reason, number in found.items() if number} for name, found in counts.items()}
    shards.write(out, rows, SCHEMA.with_metadata({_COUNTS: json.dumps(stored, sort_keys=True).encode()}))


def counts_in(piece: Path) -> dict[str, Counter[str]]:
    """Return for each label and task of a file the texts written and what was not used, by reason."""
    stored = json.loads((pq.read_schema(piece).metadata or {}).get(_COUNTS, b"{}"))
    return {name: Counter(found) for name, found in stored.items()}


def _rows(texts: list[dict[str, Any]], task: str, made: Rephrased) -> list[dict[str, Any]]:
    """Return one row a new text, with its page's columns; `invented` counts what the page does not hold."""
    found = zip(made.texts, made.sources, made.invented, strict=True)
    return [texts[source] | {"text": text, "task": task, "invented": invented} for text, source, invented in found]


def _counted(made: Rephrased) -> Counter[str]:
    return Counter({"written": len(made.texts), "with something invented": len(made.texts) - len(made.faithful)}) + (
        made.dropped
    )


def _check_answered(writer: Writer) -> None:
    ask = getattr(writer, "ask", None)
    if isinstance(ask, PatientAsk) and ask.given_up:
        raise LabError(
            f"The server failed {ask.failures} times in a row ({ask.reason}); what was written is kept, and the same "
            "command goes on once it answers."
        )
