"""Proxies: small models, each trained on one mixture and scored on held-out text, side by side.

A proxy is a function of its mixture, its seed and the plan; nothing else decides its score, so that a search
can be killed and repeated. With `folder`, every finished proxy leaves a file there, named by a hash of all
that decides it, and is never trained twice; `train_proxies` called again with the same arguments goes on
where it was, and all results stand together in `proxies.parquet`. Proxies that take long write checkpoints
too (`plan.settings.checkpoint_every`).

Two ways to begin, and they test different claims. **From scratch** (`base=None`): the mixture is the whole
training, as in RegMix. **Warm start** (`base` a checkpoint): every proxy goes on from one pretrained model and
the mixture decides the last part only, as in CLIMB, whose proxies have seen 10 trillion tokens before
(arXiv 2504.13161, App. C). A mixture that is best for the second need not be for the first.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from nemo_lab.artifacts import artifact
from nemo_lab.errors import check_texts, check_whole
from nemo_lab.files import replaced, write_tensors, write_text
from nemo_lab.jobs import run_many
from nemo_lab.mixing.pools import Blend, Floats, MixingError, Pools, check_mixture, draw_table
from nemo_lab.mixing.search import Run
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.training import TrainSettings, bits_per_byte_by_domain, load_model, train

TABLE = "proxies.parquet"


@dataclass(frozen=True)
class HeldOut:
    """Texts to score on, in one or several named sets, and the tokenizer to read them with."""

    texts: tuple[str, ...]
    names: tuple[str, ...]  # the set of each text
    tokenizer: Any

    def score(self, model: HybridLM, settings: TrainSettings, length: int) -> dict[str, float]:
        """Bits per byte of each set."""
        columns = {"text": self.texts, "set": self.names}
        return bits_per_byte_by_domain(
            model, self.tokenizer, columns, column="set", length=length, batch_size=32, precision=settings.precision
        )

    @property
    def fingerprint(self) -> str:
        """A hash of texts, names and tokenizer."""
        return _hash([self.texts, self.names, self.tokenizer.to_str()])


@dataclass(frozen=True)
class ProxyPlan:
    """What all proxies of a search share: data, shape, training, beginning, and what they are scored on.

    `settings.seed` is not used: the seed of a proxy decides its initial weights and the order of its data.
    """

    pools: Pools
    config: HybridConfig
    settings: TrainSettings
    held_out: HeldOut
    base: Path | None = None  # checkpoint to go on from; None: from scratch

    @property
    def fingerprint(self) -> str:
        """A hash of everything that decides a proxy but its mixture and seed."""
        rows = [packed.fingerprint for packed in self.pools.rows.values()]
        base = "" if self.base is None else hashlib.sha256(_weights_of(self.base).read_bytes()).hexdigest()
        settings = dataclasses.asdict(self.settings) | {"seed": 0, "checkpoint_every": 0}
        own = [self.pools.names, rows, dataclasses.asdict(self.config), settings, base]
        return _hash([*own, self.held_out.fingerprint])

    @property
    def tokens(self) -> int:
        """Tokens that one proxy is trained on."""
        return self.settings.steps * self.settings.batch_size * self.pools.length


def train_proxies(
    plan: ProxyPlan,
    mixtures_MK: Floats,
    *,
    seed: int = 0,
    first: int = 0,
    folder: Path | None = None,
    n_jobs: int = 2,
    backend: str = "loky",
    desc: str = "proxies",
) -> pd.DataFrame:
    """Train one proxy a mixture and return one row each: number, seed, the weights, and bits per byte by set.

    Args:
        plan: what they share.
        mixtures_MK: M mixtures of the plan's K sources.
        seed: of all of them. One seed for all is less noise between them (common random numbers); the spread
            over seeds is the noise floor.
        first: number of the first one, for the rounds of a search.
        folder: where results are kept and looked up; None keeps nothing.
        n_jobs: at a time. backend: of joblib; "ray" on a cluster, see `nemo_lab.jobs`.
        desc: the words beside the progress bar.

    Raises:
        MixingError: no mixture, or one off the simplex.
    """
    if not hasattr(mixtures_MK, "__len__") or not len(mixtures_MK):
        raise MixingError("There is no mixture to train a proxy on; give at least one.")
    mixtures_MK = np.stack([check_mixture(weights, len(plan.pools.rows)) for weights in mixtures_MK])
    whole = plan.fingerprint if folder else ""
    jobs = []
    for weights_K in mixtures_MK:
        place = folder / _hash([whole, seed, weights_K.tolist()]) if folder else None
        jobs.append(partial(_proxy, plan, weights_K, seed, place))
    scores = run_many(jobs, n_jobs=n_jobs, backend=backend, desc=desc)
    rows = pd.DataFrame({"number": range(first, first + len(jobs)), "seed": seed})
    weights = pd.DataFrame(mixtures_MK, columns=weight_columns(plan.pools.names))
    table = pd.concat([rows, weights, pd.DataFrame(scores)], axis=1)
    if folder:
        _add_to_table(folder / TABLE, table)
    return table


def _add_to_table(path: Path, rows: pd.DataFrame) -> None:
    """Add rows to the parquet table of all proxies of a folder, completely or not at all; no row twice."""
    known = [pd.read_parquet(path)] if path.is_file() else []
    table = pd.concat([*known, rows], ignore_index=True).drop_duplicates(ignore_index=True)
    with replaced(path) as temporary:
        table.sort_values(["seed", "number"], kind="stable", ignore_index=True).to_parquet(temporary, index=False)


def weight_columns(names: Sequence[str]) -> list[str]:
    """Names of a table's columns of weights."""
    return [f"weight.{name}" for name in names]


def mixture_model(plan: ProxyPlan, weights_K: Floats, seed: int, folder: Path | None = None) -> HybridLM:
    """Return a model trained on one mixture by the plan."""
    settings = dataclasses.replace(plan.settings, seed=seed)
    model = new_model(plan, seed)
    table_SB = draw_table(weights_K, settings.steps, settings.batch_size, seed)
    train(model, Blend(plan.pools, table_SB, seed), settings, folder=folder, progress=False)
    return model


def base_model(plan: ProxyPlan, steps: int, seed: int = 0) -> Path:
    """Return a checkpoint to warm-start the plan's proxies from, training it first when it is missing.

    It stands for CLIMB's pretraining on general text before any mixture is tried: `steps` updates on the natural
    shares at the plan's peak learning rate, warmed up over a tenth and then constant (WSD without its decay).
    """
    check_whole("steps", steps, kind=MixingError)
    settings = dataclasses.replace(
        plan.settings, steps=steps, warmup_steps=steps // 10, schedule="constant", seed=seed, checkpoint_every=0
    )
    fresh = dataclasses.replace(plan, base=None, settings=settings)

    def build(folder: Path) -> None:
        model = mixture_model(fresh, plan.pools.natural_K, seed)
        write_tensors(folder / "model.safetensors", model.state_dict())

    return artifact("base-model", {"plan": fresh.fingerprint, "seed": seed}, build)


def new_model(plan: ProxyPlan, seed: int) -> HybridLM:
    """Return the model that a training by the plan begins with: fresh, or the base."""
    model = HybridLM(plan.config, seed=seed)
    if plan.base is not None:
        load_model(model, plan.base)
    return model


def _proxy(plan: ProxyPlan, weights_K: Floats, seed: int, place: Path | None) -> dict[str, float]:
    """Train and score one proxy, or read what was written when it was finished before."""
    done = place.with_suffix(".json") if place else None
    if done and done.is_file():
        return _read_scores(done)
    keep = place if plan.settings.checkpoint_every else None
    model = mixture_model(plan, weights_K, seed, keep)
    scores = plan.held_out.score(model, plan.settings, plan.pools.length)
    if done:
        write_text(done, json.dumps(scores))
    if keep:
        shutil.rmtree(keep, ignore_errors=True)
    return scores


def _read_scores(path: Path) -> dict[str, float]:
    try:
        scores = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): float(score) for name, score in scores.items()}
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise MixingError(f"{path} is not the result of a proxy ({error}); delete it.") from error


def _weights_of(base: Path) -> Path:
    from nemo_lab.training.checkpoints import latest

    checkpoint = base if (base / "model.safetensors").is_file() else latest(base)
    if checkpoint is None:
        raise MixingError(f"{base} holds no checkpoint; give the folder that train() was called with.")
    return checkpoint / "model.safetensors"


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]


def held_out_from(sets: Mapping[str, Sequence[str]], tokenizer: Any) -> HeldOut:
    """Return texts to score on from a mapping of set name to texts.

    Raises:
        MixingError: no set, or one that is no list of texts.
    """
    if not isinstance(sets, Mapping) or not sets:
        raise MixingError(f"sets are {sets!r:.60}, expected texts by the name of their set, at least one.")
    sets = {name: check_texts(f"set {name!r}", own, kind=MixingError) for name, own in sets.items()}
    texts = [text for own in sets.values() for text in own]
    names = [name for name, own in sets.items() for _ in own]
    return HeldOut(tuple(texts), tuple(names), tokenizer)


def runner(plan: ProxyPlan, seed: int, folder: Path | None = None, n_jobs: int = 2, backend: str = "loky") -> Run:
    """Return what a search calls to train and score mixtures, `n_jobs` at a time.

    `backend` is joblib's: "ray" spreads the proxies over a cluster (see `nemo_lab.jobs`).
    """
    return partial(_train, plan, {"seed": seed, "folder": folder, "n_jobs": n_jobs, "backend": backend})


def _train(plan: ProxyPlan, how: dict[str, Any], mixtures_MK: Floats, first: int) -> pd.DataFrame:
    return train_proxies(plan, mixtures_MK, first=first, **how)
