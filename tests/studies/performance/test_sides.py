"""A side is timed in a process of its own, by a command line that is the same for all benchmarks."""

import json
import subprocess
import sys

import pytest

from nemo_lab.errors import LabError
from nemo_lab.studies.performance import sides
from nemo_lab.studies.performance.sides import Benchmark, main, run_side
from tests.side_worker import BENCHMARK, Sizes, run


def test_words_and_sizes_arrive_and_the_answer_comes_back() -> None:
    found = run_side(BENCHMARK, ["theirs", "read", "write"], Sizes(batch_size=5, precision="bf16"))
    assert found == {"side": "theirs", "words": ["theirs", "read", "write"], "sizes": [5, "bf16", 0.0]}


def test_the_command_prints_one_line_with_the_side(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(BENCHMARK, run, ["ours", "read", "--batch-size=3"]) == 0
    assert json.loads(capsys.readouterr().out) == {"side": "ours", "words": ["ours", "read"], "sizes": [3, "", 0.0]}


def test_words_without_a_list_are_any(capsys: pytest.CaptureFixture[str]) -> None:
    free = Benchmark("tests.side_worker", {"side": ("ours",), "out": ()}, Sizes)
    assert main(free, run, ["ours", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["words"] == ["ours", "-"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["our", "read"], "Unknown side 'our', did you mean 'ours'"),
        (["ours", "raed"], "Unknown task 'raed', did you mean 'read'"),
        (["ours", "read", "raed"], "Unknown task 'raed', did you mean 'read'"),
    ],
)
def test_a_misspelt_word_is_refused_before_anything_starts(words: list[str], sentence: str, monkeypatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *args, **given: pytest.fail("a process was started"))
    with pytest.raises(LabError, match=sentence):
        run_side(BENCHMARK, words, Sizes())


def test_only_the_last_word_of_many_may_be_given_twice(capsys: pytest.CaptureFixture[str]) -> None:
    one = Benchmark("tests.side_worker", BENCHMARK.words, Sizes)
    with pytest.raises(SystemExit):
        main(one, run, ["ours", "read", "write"])
    with pytest.raises(SystemExit):
        main(BENCHMARK, run, ["ours"])
    capsys.readouterr()


def test_a_process_that_fails_is_one_sentence() -> None:
    with pytest.raises(LabError, match="Timing ours failed with status 1: ValueError: batch_size is 0"):
        run_side(BENCHMARK, ["ours", "read"], Sizes(batch_size=0))


def test_a_process_that_takes_too_long_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sides, "TIME_LIMIT", 0.5)
    with pytest.raises(LabError, match="Timing ours took over 0 s; choose smaller sizes"):
        run_side(BENCHMARK, ["ours", "read"], Sizes(seconds=60))


def test_workers_of_a_side_do_not_load_what_they_do_not_need() -> None:
    """Processes of the extraction begin with the imports of its benchmark, and the clock runs meanwhile."""
    code = "import sys, nemo_lab.studies.performance.extraction; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"torch", "transformers", "pandas"} & set(done.stdout.split())
