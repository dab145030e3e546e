"""The notebooks that have settings, and a study's settings by name.

The study of `notebooks/NN_name.ipynb` is `nemo_lab.studies.name`; its `settings` holds one frozen dataclass and
`SETTINGS`, one instance a scale. Plain Python, reviewed like code. Each field is also a knob: `-p steps 50` on
papermill's command line, or a name in the notebook's parameters cell. A field `seeds` says over how many seeds
claims are judged. A study is imported when it is asked for: nothing else here knows any of them.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

NOTEBOOKS = (
    "00_start_here",
    "01_math_extraction",
    "02_web_curation",
    "03_climb_mixing",
    "04_two_phase_pretraining",
    "05_hybrid_architecture",
    "06_fp8_pretraining",
    "07_pruning_distillation",
    "08_puzzle_nas",
    "09_reasoning_toggle_rl",
    "10_crossthink_rl",
    "11_retro_search",
    "90_performance",
)


def study_of(notebook: str) -> str:
    """Return the package of a notebook's study: `05_hybrid_architecture` has `nemo_lab.studies.hybrid_architecture`."""
    return f"nemo_lab.studies.{notebook.partition('_')[2]}"


class _Settings(Mapping[str, Mapping[str, Any]]):
    """By notebook, its settings by scale."""

    def __getitem__(self, notebook: str) -> Mapping[str, Any]:
        if notebook not in NOTEBOOKS:
            raise KeyError(notebook)
        settings: Mapping[str, Any] = import_module(f"{study_of(notebook)}.settings").SETTINGS
        return settings

    def __iter__(self) -> Iterator[str]:
        return iter(NOTEBOOKS)

    def __len__(self) -> int:
        return len(NOTEBOOKS)


SETTINGS: Mapping[str, Mapping[str, Any]] = _Settings()
