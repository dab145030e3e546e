"""reasoning-gym as a source of questions: a hundred procedural data sets, of which `tasks` uses two.

reasoning-gym (0.1.25, Apache-2.0) makes entry i of a data set with `random.Random(seed + i)`, and an index may go
beyond the set's nominal size. Here the seed is 0 and the index alone says which entry.

Not all data sets are let through: some take over 0.1 s an entry; some store no answer (their scorer looks at a
whole solution), so that nothing could be compared or shown as an option; some make a list of a fixed length
first, or take no large index, so that their entries cannot be named by index.
"""

from __future__ import annotations

import functools
from typing import Any

from nemo_lab.errors import LabError, check_whole, one_of

SLOW = {  # milliseconds an entry with the default settings, one core
    "knight_swap": 679,
    "futoshiki": 192,
    "sokoban": 138,
    "intermediate_integration": 119,
    "zebra_puzzles": 101,
}
ANSWERLESS = ("graph_color", "propositional_logic", "boxnet", "rush_hour", "rubiks_cube")
BOUNDED = ("acre", "gsm_symbolic", "list_functions", "pool_matrix", "word_ladder")  # refuse large indices


def gym_entry(name: str, index: int, **config: Any) -> dict[str, Any]:
    """Return one entry as reasoning-gym makes it: question, answer and metadata.

    Args:
        name: a data set of reasoning-gym, such as `chain_sum`.
        index: which entry; not negative.
        config: settings of the data set, such as `max_terms=3`.

    Raises:
        LabError: an unknown, slow or answerless data set, a setting it refuses, an index below 0.
    """
    index = check_whole("index", index, 0)
    entry: dict[str, Any] = _dataset(name, tuple(sorted(config.items())))[index]
    return entry


@functools.lru_cache(maxsize=64)
def _dataset(name: str, config: tuple[tuple[str, Any], ...]) -> Any:
    import reasoning_gym
    from reasoning_gym.factory import DATASETS

    if name in SLOW:
        raise LabError(f"{name!r} takes {SLOW[name]} ms an item, the limit is 100; choose another data set.")
    if name in ANSWERLESS:
        raise LabError(f"{name!r} stores no answer to compare with; choose another data set.")
    if name in BOUNDED:
        raise LabError(f"{name!r} makes a list of fixed length, not entries by index; choose another data set.")
    usable = sorted(set(DATASETS) - set(SLOW) - {*ANSWERLESS, *BOUNDED, "composite"})
    if name not in usable:
        raise LabError(one_of("data set of reasoning-gym", name, usable))
    try:
        return reasoning_gym.create_dataset(name, seed=0, **dict(config))
    except (TypeError, AssertionError, ValueError) as error:
        raise LabError(f"{name!r} refuses the settings {dict(config)}: {error}.") from error
