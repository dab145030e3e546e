"""A benchmark that tests start: it returns what it was asked, or fails."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from nemo_lab.studies.performance.sides import Benchmark, Result, main


@dataclass(frozen=True)
class Sizes:
    batch_size: int = 2
    precision: str = ""
    seconds: float = 0.0


BENCHMARK = Benchmark("tests.side_worker", {"side": ("ours", "theirs"), "task": ("read", "write")}, Sizes, many=True)


def run(words: Sequence[str], sizes: Sizes) -> Result:
    print("what a library prints")
    if sizes.batch_size < 1:
        raise ValueError("batch_size is 0")
    time.sleep(sizes.seconds)
    return {"words": list(words), "sizes": [sizes.batch_size, sizes.precision, sizes.seconds]}


if __name__ == "__main__":
    sys.exit(main(BENCHMARK, run))
