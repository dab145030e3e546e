"""Jobs side by side give the results of jobs one after the other, in their order."""

from functools import partial

import joblib
import pytest
import torch

from nemo_lab.training import train_many


def threads_and_sum(seed):
    matrix = torch.randn(64, 64, generator=torch.Generator().manual_seed(seed))
    return torch.get_num_threads(), float((matrix @ matrix).sum())


def broken():
    raise ValueError("the third seed diverged")


def test_results_come_in_order_from_one_thread_each_and_do_not_depend_on_n_jobs():
    jobs = [partial(threads_and_sum, seed) for seed in range(5)]
    alone = train_many(jobs, n_jobs=1)
    assert train_many(jobs, n_jobs=2) == alone
    assert {threads for threads, _ in alone} == {1}
    assert [value for _, value in alone] == [threads_and_sum(seed)[1] for seed in range(5)]


def test_the_callers_number_of_threads_is_put_back():
    torch.set_num_threads(2)
    train_many([partial(threads_and_sum, 0)], n_jobs=1)
    assert torch.get_num_threads() == 2


def test_a_failing_job_ends_the_call_with_its_own_error():
    with pytest.raises(ValueError, match="third seed diverged"):
        train_many([partial(threads_and_sum, 0), broken], n_jobs=1)


def test_a_registered_backend_can_be_named():
    class Counting(joblib.parallel.SequentialBackend):
        supports_return_generator = True
        started = 0

        def submit(self, func, callback=None):
            Counting.started += 1
            return super().submit(func, callback)

    joblib.register_parallel_backend("counting", Counting)
    jobs = [partial(threads_and_sum, seed) for seed in range(3)]
    assert train_many(jobs, n_jobs=1, backend="counting") == train_many(jobs, n_jobs=1)
