"""Which of two things is faster on this machine, told in spite of slow minutes.

A shared or throttled machine changes its speed from minute to minute, by more than most differences that one
wants to see. So `interleaved` takes turns, A B, B A, A B …, a slow minute hits all sides alike, and the *ratio
within each round* is judged, not the ratio of two averages. The interval of the median ratio comes from the
sign test (order statistics): it assumes nothing about how times are distributed and one disturbed round cannot
move it far. With n rounds the widest such interval, smallest to largest, covers the median with probability
1 - 2^(1-n): 94 % for five, 97 % for six.
"""

import math
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar

from nemo_lab.errors import LabError
from nemo_lab.progress import progress as progress_bar

if TYPE_CHECKING:
    import pandas as pd

Action = Callable[[], object]
Name = TypeVar("Name", bound=Hashable)
COVERAGE = 0.95


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


def summary(seconds: "Mapping[str, Sequence[float]] | pd.DataFrame") -> "pd.DataFrame":
    """Return for each task of `seconds` (of each round, in order) how it did against the first task.

    Columns: `min` and `median` in seconds; `ratio`, the median over rounds of the first task's time over this
    one's (above 1: faster than the first); `low` and `high`, its interval by the sign test; `coverage` of it.
    """
    import pandas as pd

    table = pd.DataFrame(seconds)
    first = table.iloc[:, 0]
    rows = {}
    for name in table:
        ratio, low, high, coverage = median_interval((first / table[name]).tolist())
        spread = {"min": table[name].min(), "median": table[name].median()}
        rows[name] = {**spread, "ratio": ratio, "low": low, "high": high, "coverage": coverage}
    return pd.DataFrame(rows).T


def median_interval(samples: Sequence[float], coverage: float = COVERAGE) -> tuple[float, float, float, float]:
    """Return median, low and high of the narrowest sign-test interval with `coverage`, and its own coverage.

    The k-th smallest and k-th largest of n samples enclose the median of their distribution with probability
    1 - 2 P(Binomial(n, 1/2) < k). Where n is too small for `coverage`, it is the whole range.

    Raises:
        LabError: no samples.
    """
    import statistics

    if not samples:
        raise LabError("There are no samples; time at least one round.")
    ordered, n = sorted(samples), len(samples)
    fits = [k for k in range(1, (n + 1) // 2 + 1) if _sign_coverage(n, k) >= coverage]
    k = max(fits, default=1)
    return statistics.median(ordered), ordered[k - 1], ordered[n - k], _sign_coverage(n, k)


def _sign_coverage(n: int, k: int) -> float:
    return max(0.0, 1 - 2 * sum(math.comb(n, i) for i in range(k)) / 2**n)


def best_seconds(action: Action, budget: float = 0.1) -> float:
    """Return the least seconds a call takes, of the calls that fit into `budget` seconds."""
    import torch
    from torch.utils.benchmark import Timer

    timer = Timer("action()", globals={"action": action}, num_threads=torch.get_num_threads())
    return float(min(timer.blocked_autorange(min_run_time=budget).times))
