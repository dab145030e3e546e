"""Timing in turns: A B, B A, A B …, so that a slow minute of the machine hits all that is compared alike."""

import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from nemo_lab.errors import LabError
from nemo_lab.progress import progress as progress_bar

Action = Callable[[], object]
Name = TypeVar("Name", bound=Hashable)


def interleaved(tasks: Mapping[Name, Action], repeats: int, *, progress: bool = False) -> dict[Name, list[float]]:
    """Return the seconds of each task, one number a round, after one call of each that is not counted.

    Every other round goes backwards.

    Raises:
        LabError: no task, or no round.
    """
    if not tasks or repeats < 1:
        raise LabError(f"There are {len(tasks)} tasks and {repeats} rounds to time; give at least 1 of each.")
    seconds: dict[Name, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    rounds = range(repeats)
    for number in progress_bar(rounds, desc="timing", unit="round") if progress else rounds:
        for name in list(tasks)[:: -1 if number % 2 else 1]:
            began = time.perf_counter()
            tasks[name]()
            seconds[name].append(time.perf_counter() - began)
    return seconds
