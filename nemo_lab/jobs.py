"""Many independent jobs side by side, and jobs that outlive a kill: seeds, patterns, mixtures, parts of a library.

A laptop's second core is best used by a second model: small matmuls gain little from two threads and two
processes gain nearly twice. Each job gets one torch thread, so that its result does not depend on how many
run beside it.

The work goes through joblib. Its default starts processes; with another backend registered, the same call
spreads over a cluster:

    from ray.util.joblib import register_ray
    register_ray()
    run_many(jobs, n_jobs=64, backend="ray")
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from nemo_lab.errors import LabError
from nemo_lab.progress import progress as progress_bar

K = TypeVar("K")
T = TypeVar("T")


def run_many(
    jobs: Sequence[Callable[[], T]],
    *,
    n_jobs: int = 2,
    backend: str = "loky",
    desc: str = "jobs",
    progress: bool = True,
) -> list[T]:
    """Run the jobs, at most `n_jobs` at a time, and return their results in the order of the jobs.

    A job is a function without arguments, most simply `functools.partial(run, pattern, seed=seed)`; what it
    returns travels between processes, so return numbers, frames or folders rather than models. A notebook's
    own functions may be used. The first job that raises ends the call with its exception.
    """
    from joblib import Parallel, delayed

    run = Parallel(n_jobs=n_jobs, backend=backend, return_as="generator")
    with warnings.catch_warnings():
        # Loky starts a worker anew, with a warning, when it has grown by 300 MB: ours keep freed memory on purpose
        # (`memory`), and no result is lost.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs were given to the executor")
        results = run(delayed(_with_one_thread)(job) for job in jobs)
        if not progress:
            return list(results)
        return list(progress_bar(results, total=len(jobs), desc=desc, unit="job"))


def _with_one_thread(job: Callable[[], T]) -> T:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return job()
    finally:
        torch.set_num_threads(before)


def in_groups(jobs: Mapping[K, Callable[[], T]], size: int) -> dict[tuple[K, ...], Callable[[], list[T]]]:
    """Put jobs together, `size` to a group, so that a process that has opened a model uses it for all of them.

    Raises:
        LabError: groups of none.
    """
    if size < 1:
        raise LabError(f"Groups of {size} jobs hold none; give at least 1.")
    names, count = list(jobs), -(-len(jobs) // size)
    groups = [tuple(names[start::count]) for start in range(count)]
    return {group: partial(_one_by_one, [jobs[name] for name in group]) for group in groups}


def _one_by_one(jobs: Sequence[Callable[[], T]]) -> list[T]:
    return [job() for job in jobs]


def resumed(job: Callable[[Path], None], work: Path, out: Path) -> None:
    """Run a job in the folder `work`, which a killed run leaves and the next one finds, then move all to `out`.

    For jobs that write each file whole or not at all and leave those that are there.

    Args:
        work: of this job alone; on the same disk as `out`, and gone at the end.
    """
    work.mkdir(parents=True, exist_ok=True)
    job(work)
    for rest in list(work.rglob("*.tmp")):  # a kill's, half written
        rest.unlink()
    for entry in list(work.iterdir()):
        shutil.move(entry, out / entry.name)
    work.rmdir()
