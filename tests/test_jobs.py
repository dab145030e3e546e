"""Jobs side by side give the results of jobs one after the other, in their order; a killed job goes on."""

from functools import partial

import joblib
import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.files import write_text
from nemo_lab.jobs import in_groups, resumed, run_many


def threads_and_sum(seed):
    matrix = torch.randn(64, 64, generator=torch.Generator().manual_seed(seed))
    return torch.get_num_threads(), float((matrix @ matrix).sum())


def broken():
    raise ValueError("the third seed diverged")


def test_results_come_in_order_from_one_thread_each_and_do_not_depend_on_n_jobs():
    jobs = [partial(threads_and_sum, seed) for seed in range(5)]
    alone = run_many(jobs, n_jobs=1)
    assert run_many(jobs, n_jobs=2) == alone
    assert {threads for threads, _ in alone} == {1}
    assert [value for _, value in alone] == [threads_and_sum(seed)[1] for seed in range(5)]


def test_the_callers_number_of_threads_is_put_back():
    torch.set_num_threads(2)
    run_many([partial(threads_and_sum, 0)], n_jobs=1)
    assert torch.get_num_threads() == 2


def test_a_failing_job_ends_the_call_with_its_own_error():
    with pytest.raises(ValueError, match="third seed diverged"):
        run_many([partial(threads_and_sum, 0), broken], n_jobs=1)


def test_a_registered_backend_can_be_named():
    class Counting(joblib.parallel.SequentialBackend):
        supports_return_generator = True
        started = 0

        def submit(self, func, callback=None):
            Counting.started += 1
            return super().submit(func, callback)

    joblib.register_parallel_backend("counting", Counting)
    jobs = [partial(threads_and_sum, seed) for seed in range(3)]
    assert run_many(jobs, n_jobs=1, backend="counting") == run_many(jobs, n_jobs=1)


def test_groups_hold_every_job_once():
    jobs = {name: (lambda name=name: name.upper()) for name in "abcdefg"}
    groups = in_groups(jobs, 3)
    assert max(map(len, groups)) == 3
    found = {name: one for group, job in groups.items() for name, one in zip(group, job(), strict=True)}
    assert found == {name: name.upper() for name in "abcdefg"}


def test_groups_of_none_are_refused():
    with pytest.raises(LabError, match="Groups of 0 jobs"):
        in_groups({"a": int}, 0)


# --- work that outlives a kill


def test_a_killed_job_goes_on_where_it_was(tmp_path):
    made = []

    def job(folder, killed=False):
        for layer in range(4):
            if killed and layer == 2:
                (folder / ".layer-2.99.tmp").write_bytes(b"half")
                raise KeyboardInterrupt
            if not (folder / f"layer-{layer}").exists():
                made.append(layer)
                write_text(folder / f"layer-{layer}", str(layer))

    work, out = tmp_path / "work", tmp_path / "out"
    out.mkdir()
    with pytest.raises(KeyboardInterrupt):
        resumed(lambda folder: job(folder, killed=True), work, out)
    assert not list(out.iterdir())
    resumed(job, work, out)
    assert made == [0, 1, 2, 3]  # none of them twice
    assert {file.name: file.read_text() for file in out.iterdir()} == {f"layer-{n}": str(n) for n in range(4)}
    assert not work.exists()
