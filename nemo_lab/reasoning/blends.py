"""Blends of questions for RL: how many prompts of a batch come from which domain, in which template.

Nemotron-CrossThink (arXiv 2504.13941) compares, as others report it: the natural distribution, two parts of one kind
to one of the other (math, general), two parts of one format to one of the other (open, choice), weights by
usefulness, and one kind alone. A source is a domain in one template; a blend gives each source a weight.

    exact_k = B w_k,   count_k = floor(u + exact_0 + … + exact_k) - floor(u + exact_0 + … + exact_{k-1})

with one u in [0, 1) a batch. Counts sum to B; every run of neighbouring sources is within one prompt of its exact
share, which is why `two_to_one` and `by_format` put the sources of a side next to each other; and over batches
every source gets its exact share, however small. Largest remainders promise neither.

**Relative to the paper.** Its math questions are all open, so that kind and format cannot be told apart there; here
both kinds come in both formats. Weights within a side are by size. What a batch of the paper contains exactly is
not confirmed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from nemo_lab.errors import LabError, check_instance, check_whole, one_of
from nemo_lab.reasoning.experience import Prompt, Prompts
from nemo_lab.reasoning.questions.domains import DOMAINS
from nemo_lab.reasoning.questions.items import Item, generator
from nemo_lab.reasoning.questions.templates import MODES, TEMPLATES, prompt_of
from nemo_lab.training import with_fingerprint

Key = tuple[str, str]
"""A source: domain and template."""

Blend = dict[Key, float]
"""Weights that sum to 1, in an order in which the sources of one side are neighbours."""

KINDS = ("math", "general")


def natural(sizes: Mapping[Key, int]) -> Blend:
    """Return weights by size: w_k = N_k / sum N, the mixture nobody chose."""
    return _normalised({key: float(sizes[key]) for key in _ordered(sizes, kind_of)})


def two_to_one(sizes: Mapping[Key, int], kind: str, ratio: float = 2.0) -> Blend:
    """Return `ratio` parts of a kind, math or general, to one part of the other; within a kind by size."""
    return _sides(sizes, kind_of, kind, KINDS, ratio)


def by_format(sizes: Mapping[Key, int], template: str, ratio: float = 2.0) -> Blend:
    """Return `ratio` parts of a template, open or choice, to one part of the other; within a template by size."""
    return _sides(sizes, template_of, template, TEMPLATES, ratio)


def by_usefulness(scores: Mapping[Key, float]) -> Blend:
    """Return weights in proportion to scores: the mean accuracy after a short run on that source alone.

    Raises:
        LabError: a score that is negative or no number, or none above 0.
    """
    if not all(np.isfinite(score) and score >= 0 for score in scores.values()):
        raise LabError(f"Scores must be numbers of at least 0; got {dict(scores)}.")
    return _normalised({key: float(scores[key]) for key in _ordered(scores, kind_of)})


def only(sizes: Mapping[Key, int], kind: str) -> Blend:
    """Return the sources of one kind alone, math or general, by size."""
    _known("kind", kind, KINDS)
    return natural({key: size for key, size in sizes.items() if kind_of(key) == kind})


def kind_of(key: Key) -> str:
    """Return math or general.

    Raises:
        LabError: an unknown domain.
    """
    _known("domain", key[0], sorted(DOMAINS))
    return DOMAINS[key[0]].kind


def template_of(key: Key) -> str:
    """Return open or choice."""
    return key[1]


def counts(blend: Mapping[Key, float], size: int, offset: float) -> dict[Key, int]:
    """Return how many of `size` prompts each source gets, as the module says.

    Args:
        blend: weights that sum to 1.
        size: prompts of the batch.
        offset: u, from 0 to 1.
    """
    edges = np.floor(offset + size * np.cumsum([0.0, *blend.values()]) + 1e-9).astype(int)
    edges[-1] = edges[0] + size  # the sum of the weights is 1 but for rounding
    return dict(zip(blend, np.diff(edges).tolist(), strict=True))


def blend_prompts(
    blend: Mapping[Key, float], items: Mapping[Key, Sequence[Item]], seed: int, *, size: int, mode: str = "on"
) -> Prompts:
    """Return the prompts of every (step, attempt) for `grpo`: `size` of them, mixed by the blend.

    What is asked of a source depends on its domain, seed, step and attempt only: two blends ask the same questions
    of it, the one with the smaller count the first of them. `Prompt.about` is (item, template).

    Args:
        blend: weights by source. items: questions by source, those of choice with their options.
        seed: decides which. size: prompts of a step, the `prompts` of GRPO's settings. mode: on or off.

    Raises:
        LabError: a source without questions, a weight that is negative, weights that do not sum to 1, or a number of
            prompts or a seed that is none.
    """
    check_whole("size", size)
    check_whole("seed", seed, 0)
    _check(blend, items, mode)

    def prompts(step: int, attempt: int) -> list[Prompt]:
        random = np.random.default_rng([seed, step, attempt])
        chosen = [
            (item, template)
            for (domain, template), count in counts(blend, size, random.random()).items()
            for item in _some(items[domain, template], domain, count, (seed, step, attempt))
        ]
        asked = (chosen[k] for k in random.permutation(len(chosen)))
        return [Prompt(prompt_of(item, mode, template), (item, template)) for item, template in asked]

    asked_of = [(key, weight, items.get(key, ())) for key, weight in blend.items()]
    return with_fingerprint(prompts, "blend", asked_of, seed, size, mode)


def composition(prompts: Sequence[Prompt], side: Callable[[Key], str] = kind_of) -> dict[str, int]:
    """Return how many prompts of a batch are on each side, by `kind_of`, `template_of` or any function of a source."""
    sides = [side((prompt.about[0].domain, prompt.about[1])) for prompt in prompts]
    return {name: sides.count(name) for name in sorted(set(sides))}


def _some(pool: Sequence[Item], domain: str, count: int, key: tuple[int, ...]) -> list[Item]:
    """The first `count` of a shuffled pool, over and over when the pool is smaller."""
    order = generator(domain, *key).permutation(len(pool))
    return [pool[order[k % len(pool)]] for k in range(count)]


def _sides(
    sizes: Mapping[Key, int], side: Callable[[Key], str], favoured: str, known: Sequence[str], ratio: float
) -> Blend:
    _known("side", favoured, known)
    if not ratio > 0:
        raise LabError(f"ratio is {ratio}; it must be a positive number, such as 2.0.")
    total = {name: sum(sizes[key] for key in sizes if side(key) == name) for name in known}
    if not all(total.values()):
        raise LabError(f"One side is empty: {total}; a ratio needs questions on both.")
    parts = {name: ratio if name == favoured else 1.0 for name in known}
    return _normalised({key: parts[side(key)] * sizes[key] / total[side(key)] for key in _ordered(sizes, side)})


def _ordered(sizes: Mapping[Key, float], side: Callable[[Key], str]) -> list[Key]:
    """The sources, those of one side next to each other."""
    check_instance("The table of sources", sizes, Mapping, "give a number for each (domain, template)")
    return sorted(sizes, key=lambda key: (side(key), kind_of(key), key))


def _normalised(weights: Mapping[Key, float]) -> Blend:
    total = sum(weights.values())
    if not total > 0:
        raise LabError("A blend needs at least one source with a weight above 0.")
    return {key: weight / total for key, weight in weights.items()}


def _check(blend: Mapping[Key, float], items: Mapping[Key, Sequence[Item]], mode: str) -> None:
    _known("mode", mode, MODES)
    empty = [key for key, weight in blend.items() if weight > 0 and not items.get(key)]
    if empty:
        raise LabError(f"Source {empty[0]} has a weight and no questions.")
    if min(blend.values(), default=0) < 0 or not abs(sum(blend.values()) - 1) <= 1e-6:
        raise LabError(f"Weights must be at least 0 and sum to 1; got {dict(blend)}.")


def _known(what: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise LabError(one_of(what, value, known))
