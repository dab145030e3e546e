"""The study of Retro-Search at a tiny size."""

from nemo_lab.studies.retro_search import runs
from nemo_lab.studies.retro_search.settings import RetroSearch

TINY = RetroSearch(
    seeds=1,
    ablations=10,
    rules=2,
    hops=2,
    leave=0.8,
    batch_size=24,
    peak_lr=1.5e-2,
    steps=260,
    tune_steps=3,
    tune_lr=1e-3,
    questions=60,
    held_out=20,
    max_new_tokens=50,
    alternatives=1,
    gamma=0.9,
    beta=6,
    d_model=32,
    d_weak=16,
    weak_steps=(0, 10),
    weak_lr=1e-2,
)
POLICY = runs.untrained(TINY.d_model, seed=3)
