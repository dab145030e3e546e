"""The updates of a loop as they are taken, and an interruption before one of them, as a kill would be."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def updates(module: Any, *, before: int = 0) -> Iterator[list[int]]:
    """Numbers of the updates that `module` takes in the block, which ends where number `before` was due."""
    real, taken = module.take_step, []

    def step(*arguments: Any, update: int) -> float:
        if update == before:
            raise KeyboardInterrupt
        taken.append(update)
        return real(*arguments, update=update)

    module.take_step = step
    try:
        yield taken
    except KeyboardInterrupt:
        assert taken[-1:] == [before - 1]
    finally:
        module.take_step = real
