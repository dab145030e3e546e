"""Worker processes of `nemo-lab extract`: records in, rows out, in the same order, with a bounded number on the way.

A page that kills its worker (a fault in a C library, memory) must cost one page. When the pool breaks, the
batches on the way are done again one page at a time, each in a process of its own, and a page that kills its
process a second time is that failure's name.
"""

import contextlib
import multiprocessing
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any

from nemo_lab.curation.duplicates import near
from nemo_lab.curation.filters import math_quality
from nemo_lab.curation.filters.decontamination import TestSet
from nemo_lab.curation.pages.extraction import Extraction, Failure, extract
from nemo_lab.curation.pages.lynx import Limits, executable
from nemo_lab.curation.pages.page import Damaged, Record
from nemo_lab.curation.shards.files import LOSSES

MEMORY = 3 << 30  # bytes of a worker's address space
_BYTES = 4 << 20  # of a batch, so that an archive of large pages takes no more memory
_AHEAD = 3  # batches a worker that are on the way
_EMPTY: dict[str, Any] = {
    "text": None,
    "title": "",
    "kind": "",
    "score": 0.0,
    "failure": "",
    "quoted": "",
    "bands": None,
    "forms": "",
    "suspected": False,
}
_here: dict[str, Any] = {}  # what a worker was started with
Work = Callable[[list[Record]], list[dict[str, Any]]]
Lost = Callable[[Record, str], dict[str, Any]]


class Pool:
    """So many workers; `options` has `batch` and `page_seconds`.

    `work` says what is done: rows of a batch of records, in a worker. `lost` makes the row of a record that killed its
    process. By default both are those of `extract`.
    """

    def __init__(
        self, jobs: int, options: Any, keep_out: Sequence[str] = (), work: Work | None = None, lost: Lost | None = None
    ) -> None:
        if work is None:
            executable()  # a missing lynx is one sentence here, not a traceback of a worker
        self._jobs, self._batch = jobs, options.batch
        self._work, self._lost = work or rows_of, lost or _lost
        self._arguments = (Limits(seconds=options.page_seconds), tuple(keep_out))
        self._pool = self._start(jobs)

    def __enter__(self) -> "Pool":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=kind is None, cancel_futures=True)

    def rows(self, stream: Iterable[Record]) -> Iterator[dict[str, Any]]:
        """Yield one row a record, in order."""
        source = _batches(stream, self._batch)
        waiting: deque[tuple[list[Record], Future[list[dict[str, Any]]]]] = deque()
        while True:
            while len(waiting) < _AHEAD * self._jobs and (batch := next(source, None)) is not None:
                waiting.append((batch, self._submit(batch)))
            if not waiting:
                return
            batch, future = waiting.popleft()
            try:
                yield from future.result()
            except BrokenProcessPool:
                again = [batch, *(other for other, _ in waiting)]
                waiting.clear()
                yield from (row for batch in again for row in self._one_by_one(batch))
                self._pool = self._start(self._jobs)

    def _submit(self, batch: list[Record]) -> "Future[list[dict[str, Any]]]":
        try:
            return self._pool.submit(self._work, batch)
        except BrokenProcessPool as error:
            broken: Future[list[dict[str, Any]]] = Future()
            broken.set_exception(error)
            return broken

    def _one_by_one(self, batch: list[Record]) -> Iterator[dict[str, Any]]:
        for record in batch:
            with contextlib.closing(_Closing(self._start(1))) as alone:
                try:
                    yield from alone.pool.submit(self._work, [record]).result()
                except BrokenProcessPool:
                    yield self._lost(record, "its worker process died")

    def _start(self, jobs: int) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")  # no fork of a process that may hold threads
        return ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin, initargs=self._arguments)


def _batches(stream: Iterable[Record], most: int) -> Iterator[list[Record]]:
    """Yield batches of at most so many records and, but for a single large one, of at most `_BYTES`."""
    batch: list[Record] = []
    size = 0
    for record in stream:
        length = 0 if isinstance(record, Damaged) else len(record.content)
        if batch and (len(batch) == most or size + length > _BYTES):
            yield batch
            batch, size = [], 0
        batch.append(record)
        size += length
    if batch:
        yield batch


class _Closing:
    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self.pool = pool

    def close(self) -> None:
        self.pool.shutdown(wait=True, cancel_futures=True)


def _begin(limits: Limits, keep_out: Sequence[str]) -> None:
    """Prepare a worker: its memory limit, the tests to keep out, and its end with the main process."""
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the main process, which ends the workers
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    _here.update(limits=limits, tests=TestSet.of(keep_out))
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Leave when the main process is gone; killed, it cannot tell its workers, and they would wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def rows_of(batch: list[Record]) -> list[dict[str, Any]]:
    """Extract a batch in a worker and return its rows, in order."""
    pages = [record for record in batch if not isinstance(record, Damaged)]
    results = iter(extract(pages, _here["limits"]))
    return [_row(record, Failure(record.reason) if isinstance(record, Damaged) else next(results)) for record in batch]


def _row(record: Record, result: Extraction | Failure) -> dict[str, Any]:
    row = _EMPTY | dict.fromkeys(LOSSES, 0)
    row |= {"url": record.url, "place": record.place}
    if isinstance(result, Failure):
        return row | {"failure": result.reason}
    if not result.text.strip():
        return row | {"failure": "no text"}
    losses = result.losses
    counts = {name: getattr(losses, name) for name in row if hasattr(losses, name) and name != "forms"}
    return (
        row
        | counts
        | {
            "text": result.text,
            "title": result.title,
            "kind": result.kind,
            "score": math_quality.score(result.text),
            "quoted": quoted(result.text),
            "bands": bands(result.text),
            "forms": ", ".join(f"{name} {count}" for name, count in losses.forms.items()),
        }
    )


def _lost(record: Record, reason: str) -> dict[str, Any]:
    return _row(record, Failure(reason))


def quoted(text: str) -> str:
    """Return the test item that a text quotes, of those that this worker was started with, or ''."""
    return str(_here["tests"].match(text)) if _here else ""


def bands(text: str) -> bytes:
    """Return the keys of the bands of a text's signature, 8 bytes each."""
    keys = near.band_keys(near.signature(text))
    return b"".join(near.hash_key(key) for key in keys)
