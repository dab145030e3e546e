"""reasoning-gym as a source of items: a hundred procedural data sets, each with its own scorer.

reasoning-gym (0.1.25, Apache-2.0) makes entry i of a data set with `random.Random(seed + i)`: seeds that lie
near each other share entries, and an index may go beyond the set's nominal size. Here seeds are therefore
`SPACING` apart, and an index stays below `SPACING`.

Not all data sets are let through: some take over 0.1 s an entry; some store no answer (their scorer looks at a
whole solution), so that nothing could be compared or shown as an option; some make a list of a fixed length
first, or take no large seed, so that their entries cannot be named by index.
"""

from __future__ import annotations

import functools
from typing import Any

from nemo_lab.errors import LabError, one_of
from nemo_lab.reasoning.items import Item

SPACING = 1_000_003  # items of one seed
SLOW = {  # milliseconds an entry with the default settings, one core
    "knight_swap": 679,
    "futoshiki": 192,
    "sokoban": 138,
    "intermediate_integration": 119,
    "zebra_puzzles": 101,
}
ANSWERLESS = ("graph_color", "propositional_logic", "boxnet", "rush_hour", "rubiks_cube")
BOUNDED = ("acre", "gsm_symbolic", "list_functions", "pool_matrix", "word_ladder")  # refuse large indices


def gym_items(name: str, count: int, seed: int, start: int = 0, **config: Any) -> list[Item]:
    """Return entries `start` … `start + count - 1` of a data set as items; name, seed and index decide each.

    Args:
        name: a data set of reasoning-gym, such as `chain_sum`.
        count: how many.
        seed: decides which; not negative.
        start: index of the first.
        config: settings of the data set, such as `max_terms=3`.

    Raises:
        LabError: an unknown, slow or answerless data set, a setting it refuses, an index out of range.
    """
    if min(count, seed, start) < 0 or start + count > SPACING:
        raise LabError(f"Items {start} to {start + count} of seed {seed}; expected 0 to {SPACING:,}, no negative.")
    entries = [gym_entry(name, seed * SPACING + index, **config) for index in range(start, start + count)]
    return [Item(name, str(entry["question"]), str(entry["answer"])) for entry in entries]


def gym_entry(name: str, index: int, **config: Any) -> dict[str, Any]:
    """Return one entry as reasoning-gym makes it: question, answer and metadata."""
    entry: dict[str, Any] = _dataset(name, tuple(sorted(config.items())))[index]
    return entry


def gym_score(name: str, entry: dict[str, Any], answer: str, **config: Any) -> float:
    """Return reasoning-gym's score of an answer to an entry of `gym_entry`, from 0 to 1.

    Partial credit is common: a long answer that contains the right one scores the share of characters that
    is right. A reward that must not be gamed wants 1.0. Whatever a scorer raises counts as 0.
    """
    try:
        return float(_dataset(name, tuple(sorted(config.items()))).score_answer(answer, entry))
    except LabError:
        raise
    except Exception:  # scorers parse what a model wrote, each in its own way
        return 0.0


def usable() -> list[str]:
    """Return the names of the data sets that `gym_items` takes."""
    from reasoning_gym.factory import DATASETS

    return sorted(set(DATASETS) - set(SLOW) - {*ANSWERLESS, *BOUNDED, "composite"})


@functools.lru_cache(maxsize=64)
def _dataset(name: str, config: tuple[tuple[str, Any], ...]) -> Any:
    import reasoning_gym

    if name in SLOW:
        raise LabError(f"{name!r} takes {SLOW[name]} ms an item, the limit is 100; choose another data set.")
    if name in ANSWERLESS:
        raise LabError(f"{name!r} stores no answer to compare with; choose another data set.")
    if name in BOUNDED:
        raise LabError(f"{name!r} makes a list of fixed length, not entries by index; choose another data set.")
    if name not in usable():
        raise LabError(one_of("data set of reasoning-gym", name, usable()))
    try:
        return reasoning_gym.create_dataset(name, seed=0, **dict(config))
    except (TypeError, AssertionError, ValueError) as error:
        raise LabError(f"{name!r} refuses the settings {dict(config)}: {error}.") from error
