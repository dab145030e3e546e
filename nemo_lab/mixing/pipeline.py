"""The whole of CLIMB in one call: documents and a goal in, a mixture and a dataset out.

Notebook 03 walks through the same steps one by one; `nemo-lab climbmix` calls this. Documents may come from
anywhere that `corpora.load` reads.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nemo_lab.charsets import utf8_bytes, utf8_lengths
from nemo_lab.corpora import tokenization
from nemo_lab.corpora.catalog import CORPORA
from nemo_lab.corpora.loading import load
from nemo_lab.corpora.mixtures import mixture
from nemo_lab.corpora.store import present
from nemo_lab.errors import check_path, check_texts, check_whole
from nemo_lab.jobs import run_many
from nemo_lab.mixing.cautions import lion_share, ties
from nemo_lab.mixing.climbmix import select_documents, write_climbmix
from nemo_lab.mixing.cluster_map import describe
from nemo_lab.mixing.clusters import Clustering, kmeans, merge
from nemo_lab.mixing.embedding import Vectors, embedded
from nemo_lab.mixing.pools import MixingError, Pools, pools_by
from nemo_lab.mixing.proxies import ProxyPlan, base_model, held_out_from, runner
from nemo_lab.mixing.pruning import prune, quality_scores
from nemo_lab.mixing.search import Search, SearchSettings, climb
from nemo_lab.modeling import HybridConfig, presets
from nemo_lab.training import TrainSettings

if TYPE_CHECKING:
    from datasets import Dataset

Tell = Callable[[str], None]


@dataclass(frozen=True)
class ClimbRecipe:
    """The numbers of a search; notebook 03's scales set them, as `recipe_from` of its study says."""

    vocab_size: int
    length: int  # tokens a row
    batch_size: int  # rows a step
    k_init: int  # k-means cells
    clusters: int  # after merging
    threshold: float  # of quality, 0 to 5; used where there is a reference
    d_proxy: int  # width of a proxy
    proxy_pairs: int  # of attention and feed-forward layers
    proxy_steps: int
    proxy_lr: float
    base_steps: int  # of the common start; 0: proxies from scratch
    rounds: tuple[int, ...]  # proxies a round
    candidates: int  # mixtures that the predictor ranks


def transformer(width: int, pairs: int, vocab_size: int) -> HybridConfig:
    """The shape of proxies and targets: a small Transformer with RoPE, as the paper's are."""
    return presets.tiny_hybrid(width, "*-" * pairs, vocab_size=vocab_size, rope_theta=10_000.0)


def cluster_documents(
    texts: Sequence[str], recipe: ClimbRecipe, seed: int, reference: Sequence[str] | None = None
) -> tuple[Clustering, Vectors]:
    """Embed, cluster, prune where a reference of good text is given, and merge; returns clusters and vectors.

    With fewer documents than cells, or fewer cells left than clusters wanted, there are as many as there can be.
    """
    vectors_ND = embedded(texts)
    found = kmeans(vectors_ND, min(recipe.k_init, len(texts)), seed)
    if reference is not None:
        found, _ = prune(found, quality_scores(vectors_ND, embedded(reference), seed), recipe.threshold, texts)
    return merge(found, k_final=min(recipe.clusters, found.k), linkage="ward_by_documents"), vectors_ND


def proxy_plan(pools: Pools, held_out: Any, recipe: ClimbRecipe, seed: int = 0) -> ProxyPlan:
    """Return the plan of the proxies, with their common start trained where the recipe has one."""
    config = transformer(recipe.d_proxy, recipe.proxy_pairs, recipe.vocab_size)
    warmup = 0 if recipe.base_steps else recipe.proxy_steps // 8
    settings = TrainSettings(
        recipe.proxy_steps, recipe.batch_size, recipe.proxy_lr, warmup_steps=warmup, min_lr_ratio=0.0
    )
    plan = ProxyPlan(pools, config, settings, held_out)
    if not recipe.base_steps:
        return plan
    # As a job of its own, like every proxy: on one thread, whatever the caller has.
    (base,) = run_many([partial(base_model, plan, recipe.base_steps, seed)], n_jobs=1, progress=False)
    return ProxyPlan(pools, config, settings, held_out, base)


def search_corpus(
    plan: ProxyPlan, objective: str, recipe: ClimbRecipe, seed: int, folder: Path | None = None, n_jobs: int = 2
) -> Search:
    """Run CLIMB's search for the mixture of the plan's pools with the lowest `objective`."""
    settings = SearchSettings(recipe.rounds, recipe.candidates)
    return climb(runner(plan, seed, folder, n_jobs), plan.pools.natural_K, objective, settings, seed)


def read_sources(
    sources: Sequence[str], goal: str, reference: str, source_bytes: int, goal_bytes: int
) -> tuple[Dataset, list[str], list[str] | None]:
    """Return the documents of several sources, the goal's texts, and the reference's, None where there is none.

    Packaged corpora give `source_bytes` each; files, folders and hub ids give all they have. A packaged goal gives
    `goal_bytes` of its validation split; another goal at most that many bytes of its documents.

    Raises:
        MixingError: the goal is also a source.
    """
    from datasets import concatenate_datasets

    names = list(sources) or [name for name in present() if name != goal]
    if goal in names:
        raise MixingError(f"The goal {goal!r} is among the sources; a mixture could only repeat it: leave it out.")
    parts = []
    for name in names:
        part = mixture([name], "train", source_bytes) if name in CORPORA else load(name)
        rows = part.remove_columns([column for column in part.column_names if column == "corpus"])
        parts.append(rows.add_column("corpus", [Path(name).name] * len(rows)))  # type: ignore[call-arg]
    texts = list(mixture([goal], "validation", goal_bytes)["text"]) if goal in CORPORA else list(load(goal)["text"])
    good = list(load(reference, split=None)["text"]) if reference else None
    return concatenate_datasets(parts), _up_to(texts, goal_bytes), good


def _up_to(texts: Sequence[str], size: int) -> list[str]:
    """The first texts that together have at most `size` bytes, at least one."""
    reached = np.cumsum(utf8_lengths(texts))
    return list(texts[: max(1, int(np.searchsorted(reached, size, side="right")))])


def make_climbmix(
    dataset: Dataset,
    goal: Sequence[str],
    recipe: ClimbRecipe,
    out: Path,
    *,
    seed: int = 0,
    size: int = 0,
    reference: Sequence[str] | None = None,
    n_jobs: int = 2,
    tell: Tell = lambda line: None,
    notes: Sequence[str] = (),
) -> Path:
    """Find the mixture of a dataset's clusters that serves a goal best, and write the dataset in these shares.

    Args:
        dataset: documents with the columns text and corpus, and id, source and licence if there are any.
        goal: texts whose bits per byte the proxies shall make small; they must not stand in the dataset.
        recipe: sizes.
        out: folder to be written. What a killed call had trained lies beside it, in `<out>.proxies`, is used by the
            next one and removed at the end.
        seed: of clusters, proxies and search.
        size: bytes of the new set; 0: as large as the mixture allows without repeating a document.
        reference: texts that say what good text is; clusters unlike them are dropped.
        n_jobs: proxies at a time; the result does not depend on it.
        tell: called with a line about each step, and about what makes the answer doubtful.
        notes: lines about sources and goal for the card, which has those about the answer too.

    Raises:
        MixingError: the folder is there already, or there is too little text.
    """
    out = check_path("out", out, kind=MixingError)
    check_whole("seed", seed, 0, kind=MixingError)
    check_whole("size", size, 0, kind=MixingError)
    goal = check_texts("goal", goal, kind=MixingError)
    if not isinstance(recipe, ClimbRecipe):
        raise MixingError(f"recipe is {recipe!r:.60}, expected a ClimbRecipe.")
    if out.exists():
        raise MixingError(f"{out} exists; choose another folder for the new set, or remove it.")
    texts = list(dataset["text"])
    if len(texts) < 2 or not any(goal):
        raise MixingError(f"There are {len(texts)} documents and {len(goal)} texts of the goal; both need some.")
    clustering, vectors_ND = cluster_documents(texts, recipe, seed, reference)
    table = describe(clustering, texts, dataset["corpus"], vectors_ND)
    tell(table[["name", "documents", "bytes", "words"]].to_string(index=False))
    inside = [i for i, label in enumerate(clustering.labels_N) if label >= 0]
    tokenizer = tokenization.train([texts[i] for i in inside], recipe.vocab_size)
    names = [f"{label:03d}" for label in clustering.labels_N[inside]]  # sorted by name is sorted by number
    pools = pools_by({"text": [texts[i] for i in inside], "cluster": names}, "cluster", tokenizer, recipe.length)
    plan = proxy_plan(pools, held_out_from({"goal": goal}, tokenizer), recipe, seed)
    folder = out.with_name(f"{out.name}.proxies")
    found = search_corpus(plan, "goal", recipe, seed, folder, n_jobs)
    weights_K = found.best_predicted_K
    doubts = ties(found.scores_N, plan.settings.steps * plan.settings.batch_size)
    doubts += lion_share(weights_K, table["name"].tolist())
    for line in doubts:
        tell(line)
    tell(f"{len(found.table)} proxies: bits per byte {found.scores_N.max():.3f} to {found.scores_N.min():.3f}")
    chosen = select_documents(texts, clustering.labels_N, weights_K, table["name"].tolist(), size, seed)
    facts = _facts(found, plan, recipe, seed, goal)
    write_climbmix(out, dataset, clustering.labels_N, chosen, facts, found.table, [*notes, *doubts])
    shutil.rmtree(folder, ignore_errors=True)
    return out


def _facts(found: Search, plan: ProxyPlan, recipe: ClimbRecipe, seed: int, goal: Sequence[str]) -> dict[str, Any]:
    return {
        "goal": f"{len(goal):,} texts, {utf8_bytes(goal):,} bytes, not in this set",
        "proxies": f"{len(found.table)} of {plan.tokens:,} tokens each, in rounds of {list(recipe.rounds)}",
        "bits per byte on the goal": f"{found.scores_N.min():.4f} for the best proxy, "
        f"{found.scores_N[: recipe.rounds[0]].mean():.4f} for the mean of the first, random round",
        "seed": seed,
        "recipe": asdict(recipe),
    }
