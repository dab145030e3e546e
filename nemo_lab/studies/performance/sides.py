"""One side of a comparison, timed in a process of its own, so that neither inherits the other's threads and caches."""

import argparse
import contextlib
import io
import json
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from nemo_lab.errors import LabError, one_of

TIME_LIMIT = 600.0  # seconds a process may take
Result = dict[str, Any]


@dataclass(frozen=True)
class Benchmark:
    """A module that times one side.

    Attributes:
        module: its name, as `python -m` takes it.
        words: the names of its arguments, the side first, and the values that each may have; without any, all may be.
        sizes: a dataclass whose fields, numbers or words with a default, are its options.
        many: whether the last argument may be given more than once.
    """

    module: str
    words: Mapping[str, Sequence[str]]
    sizes: type[Any]
    many: bool = False


def run_side(benchmark: Benchmark, words: Sequence[str], sizes: Any) -> Result:
    """Time one side in a process of its own and return what it printed.

    Args:
        words: the benchmark's arguments, the side first.
        sizes: its options.

    Raises:
        LabError: an unknown word, or the process took over `TIME_LIMIT` or failed; the sentence gives its last line.
    """
    kinds = list(benchmark.words)
    for kind, value in zip([*kinds, *kinds[-1:] * len(words)], words, strict=False):
        known = benchmark.words[kind]
        if known and value not in known:
            raise LabError(one_of(kind, value, known))
    try:
        done = subprocess.run(
            command(benchmark, words, sizes), capture_output=True, text=True, timeout=TIME_LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        raise LabError(f"Timing {words[0]} took over {TIME_LIMIT:.0f} s; choose smaller sizes.") from None
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["no message"]
        raise LabError(f"Timing {words[0]} failed with status {done.returncode}: {said[0]}")
    result: Result = json.loads(done.stdout.splitlines()[-1])
    return result


def command(benchmark: Benchmark, words: Sequence[str], sizes: Any) -> list[str]:
    """Return the command line that times one side."""
    options = [f"{_flag(name)}={value}" for name, value in asdict(sizes).items()]
    return [sys.executable, "-m", benchmark.module, *words, *options]


def main(
    benchmark: Benchmark, run: Callable[[Sequence[str], Any], Result], arguments: Sequence[str] | None = None
) -> int:
    """Time one side as the command line says and print the result, and which side it is, as JSON.

    Args:
        run: what the benchmark does with its words and sizes; what it prints is not shown.
    """
    given = vars(_parser(benchmark).parse_args(arguments))
    words = [given.pop(name) for name in benchmark.words]
    if benchmark.many:
        words = [*words[:-1], *words[-1]]
    with contextlib.redirect_stdout(io.StringIO()):
        result = run(words, benchmark.sizes(**given))
    print(json.dumps({"side": words[0]} | result))
    return 0


def _parser(benchmark: Benchmark) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=benchmark.module, description="Time one side.")
    for name, known in benchmark.words.items():
        last = name == list(benchmark.words)[-1]
        nargs = "+" if last and benchmark.many else None
        parser.add_argument(name, nargs=nargs, choices=known or None, metavar=name.upper(), help=", ".join(known))
    for field in fields(benchmark.sizes):
        parser.add_argument(_flag(field.name), type=type(field.default), default=field.default, metavar="N")
    return parser


def _flag(field: str) -> str:
    return f"--{field.replace('_', '-')}"
