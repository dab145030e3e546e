"""Many independent trainings side by side: seeds, patterns, mixtures.

A laptop's second core is best used by a second model: small matmuls gain little from two threads and two
processes gain nearly twice. Each job gets one torch thread, so that its result does not depend on how many
run beside it.

The work goes through joblib. Its default starts processes; with another backend registered, the same call
spreads over a cluster:

    from ray.util.joblib import register_ray
    register_ray()
    train_many(jobs, n_jobs=64, backend="ray")
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import TypeVar

from nemo_lab.progress import progress as progress_bar

T = TypeVar("T")


def train_many(
    jobs: Sequence[Callable[[], T]],
    *,
    n_jobs: int = 2,
    backend: str = "loky",
    desc: str = "training",
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
