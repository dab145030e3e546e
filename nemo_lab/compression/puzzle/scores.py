"""Replace-one-block scores: how much worse the parent gets when one sub-block alone is swapped.

    score(i, j) = mean over tokens of KL( parent ‖ parent with option j in slot i )

(Puzzle, arXiv 2411.19146, section 4.2; of its three scores KL generalised best.) A whole architecture is estimated by
the *sum* of its scores. That is an assumption, which notebook 08 tests. Beside KL two more are kept: the loss on the
text minus the parent's, and 1 - cosine of the last hidden states, today's default of NVIDIA's open implementation.

Relative to the paper: it scores pairs of attention and feed-forward part, we the two apart. With a and b options that
is a + b instead of a·b a layer, and one more step of the same assumption.

What stands before the replaced block is the parent, so a score costs only what comes behind: the walk through the
parent hands the stream over. A layer's scores are one JSON file; a killed run goes on with the next layer.

Shapes: N rows, L length, D width of the stream, V vocabulary, T = N·(L-1) predicted tokens.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nemo_lab.compression.puzzle.files import read_part
from nemo_lab.compression.puzzle.library import LibraryRecipe
from nemo_lab.compression.puzzle.parts import KINDS, NONE, Option, Visit, forward, norm_of, reason_of, start_of, walk
from nemo_lab.errors import LabError
from nemo_lab.files import write_text
from nemo_lab.progress import progress as progress_bar
from nemo_lab.training.identity import fingerprint, weights_fingerprint

ROWS = 256  # tokens whose logits are held at once
SCORES = ("kl", "cosine", "loss")


@dataclass(frozen=True)
class Reference:
    """What the parent says on some text, and what any model is compared with there."""

    tokens_NL: Tensor
    hidden_TD: Tensor  # behind the last norm, where a token is predicted
    loss: float  # nats a token
    entropy: float  # of the parent's predictions, nats a token
    probabilities_TV: tuple[Tensor, ...]  # float32, ROWS tokens each: V times as large as the text

    @classmethod
    def of(cls, model: Any, tokens_NL: Tensor) -> Reference:
        """Run the parent once."""
        return cls.from_hidden(model.lm_head, tokens_NL, _before_known(walk_layers(model, tokens_NL)[0]))

    @classmethod
    @torch.no_grad()
    def from_hidden(cls, head: Any, tokens_NL: Tensor, hidden_TD: Tensor) -> Reference:
        """Make it of what the parent's last norm gave, (T, D)."""
        targets_T = tokens_NL[:, 1:].flatten()
        loss = entropy = 0.0
        probabilities_TV = []
        for hidden, targets in zip(hidden_TD.split(ROWS), targets_T.split(ROWS), strict=True):
            log_TV = torch.log_softmax(head(hidden).float(), -1)
            loss -= float(log_TV.gather(1, targets[:, None]).sum())
            probabilities_TV.append(log_TV.exp())
            entropy -= float(torch.dot(probabilities_TV[-1].flatten(), log_TV.flatten()))
        return cls(tokens_NL, hidden_TD, loss / len(targets_T), entropy / len(targets_T), tuple(probabilities_TV))


def _before_known(hidden_NLD: Tensor) -> Tensor:
    """Return the states of the positions whose next token is known, (T, D)."""
    return hidden_NLD[:, :-1].flatten(0, 1)


def walk_layers(model: Any, tokens_NL: Tensor, behind: Sequence[int] = ()) -> tuple[Tensor, list[Tensor]]:
    """Run a model without its head: the states behind the last norm, (N, L, D), and the streams behind some layers."""
    stream_NLD, context = start_of(model, tokens_NL)
    streams = []
    for number, layer in enumerate(model.model.layers):
        stream_NLD = layer(stream_NLD, **context)
        if number in behind:
            streams.append(stream_NLD)
    return model.model.norm(stream_NLD), streams


@torch.no_grad()
def compare(head: Any, hidden_TD: Tensor, reference: Reference) -> dict[str, float]:
    """Compare last hidden states with the parent's: mean `kl` in nats, `cosine` distance, and `loss` less the parent's.

    KL = Σ_v p log p - Σ_v p · logits + log Σ_v exp(logits), the first of which is known.
    """
    cross = loss = 0.0
    targets_T = reference.tokens_NL[:, 1:].flatten()
    pieces = zip(hidden_TD.split(ROWS), reference.probabilities_TV, targets_T.split(ROWS), strict=True)
    for hidden, parent_TV, targets in pieces:
        logits_TV = head(hidden).float()
        spread = float(logits_TV.logsumexp(-1).sum())
        loss += spread - float(logits_TV.gather(1, targets[:, None]).sum())
        cross += spread - float(torch.dot(parent_TV.flatten(), logits_TV.flatten()))
    cosine = 1 - F.cosine_similarity(hidden_TD.float(), reference.hidden_TD.float(), dim=-1).mean()
    count = len(targets_T)
    kl = cross / count - reference.entropy
    return {"kl": kl, "cosine": float(cosine), "loss": loss / count - reference.loss}


def true_scores(model: Any, reference: Reference) -> dict[str, float]:
    """Return the numbers of `compare` for a whole model."""
    with torch.no_grad():
        hidden_NLD, _ = walk_layers(model, reference.tokens_NL)
    return compare(model.lm_head, _before_known(hidden_NLD), reference)


# --- one block replaced


@torch.no_grad()
def replaced(model: Any, visit: Visit, option: Option, folder: Path, reference: Reference) -> dict[str, float]:
    """Return the scores of the parent with one sub-block replaced by an option of the library."""
    layer = model.model.layers[visit.layer]
    stream_NLD = visit.stream_NLD
    if option.size != NONE:
        part = read_part(folder, visit.layer, option, model.config, stream_NLD.dtype)
        normed_NLD = norm_of(layer, visit.kind)(stream_NLD)
        stream_NLD = stream_NLD + forward(part, visit.kind, normed_NLD, visit.context)
    if visit.kind == "attention":
        stream_NLD = stream_NLD + layer.feed(stream_NLD)
    return behind(model, visit.layer, stream_NLD, visit.context, reference)


@torch.no_grad()
def behind(
    model: Any, layer: int, stream_NLD: Tensor, context: dict[str, Any], reference: Reference
) -> dict[str, float]:
    """Run a stream through what comes behind a layer and compare it with the parent."""
    for later in model.model.layers[layer + 1 :]:
        stream_NLD = later(stream_NLD, **context)
    return compare(model.lm_head, _before_known(model.model.norm(stream_NLD)), reference)


def score_file(folder: Path, layer: int) -> Path:
    """Return where the scores of a layer are kept."""
    return folder / f"scores-{layer:03d}.json"


def score_library(
    model: Any,
    reference: Reference,
    recipe: LibraryRecipe,
    folder: Path,
    layers: Sequence[int] | None = None,
    *,
    progress: bool = True,
) -> None:
    """Score all options of these layers (all without `layers`), a file a layer; files that are there stay.

    Args:
        folder: the library, where the scores are written too.

    Raises:
        LabError: a file that is there has scores of another parent, another text or other options, or is damaged.
    """
    origin = _origin(model, reference, recipe)
    for file in sorted(folder.glob("scores-*.json")):
        _check_origin(file, origin)
    wanted = set(range(len(model.model.layers)) if layers is None else layers)
    found: dict[str, dict[str, dict[str, float]]] = {}
    visits: Iterable[Visit] = walk(model, reference.tokens_NL)
    bar = progress_bar(visits, total=2 * len(model.model.layers), desc="scores", unit="block") if progress else visits
    for visit in bar:
        file = score_file(folder, visit.layer)
        if visit.layer not in wanted or file.exists():
            continue
        own, *others = recipe.options(visit.kind)
        found[visit.kind] = {str(own.size): dict.fromkeys(SCORES, 0.0)}
        for option in others:
            found[visit.kind][str(option.size)] = replaced(model, visit, option, folder, reference)
        if visit.kind == KINDS[-1]:
            write_text(file, json.dumps({"origin": origin} | found, indent=1))
            found = {}


def _origin(model: Any, reference: Reference, recipe: LibraryRecipe) -> dict[str, str]:
    """Return what decides scores besides the library, each as a fingerprint."""
    return {
        "parent": weights_fingerprint(model),
        "text": fingerprint(reference.tokens_NL),
        "options": fingerprint({kind: [option.name for option in recipe.options(kind)] for kind in KINDS}),
    }


def _check_origin(file: Path, origin: Mapping[str, str]) -> None:
    found = _read(file).get("origin") or {}
    other = [name for name, value in origin.items() if found.get(name) != value]
    if other:
        raise LabError(
            f"{file.name!r} in {str(file.parent)!r} has scores of another {' and '.join(other)} than is given now; "
            "give another folder, or remove this file to score anew."
        )


def read_scores(layer_folders: Sequence[Path]) -> list[dict[Option, dict[str, float]]]:
    """Return the options of each slot with their scores: attention and feed-forward part of layer 0, of layer 1, …

    Args:
        layer_folders: the folder that holds each layer; mostly the same one.

    Raises:
        LabError: the scores of a layer are missing or damaged.
    """
    return [options for layer, folder in enumerate(layer_folders) for options in slots_of_layer(folder, layer)]


def slots_of_layer(folder: Path, layer: int) -> list[dict[Option, dict[str, float]]]:
    """Return the options of a layer's attention with their scores, then those of its feed-forward part.

    Raises:
        LabError: there is no file of scores of this layer, or it is damaged.
    """
    file = score_file(folder, layer)
    if not file.is_file():
        raise LabError(f"The library {folder.name!r} has no scores of layer {layer}; run score_library first.")
    found = _read(file)
    with _damage_told(file):
        return [_scored(kind, found[kind]) for kind in KINDS]


def _read(file: Path) -> dict[str, Any]:
    with _damage_told(file):
        return dict(json.loads(file.read_text(encoding="utf-8")))


@contextlib.contextmanager
def _damage_told(file: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise LabError(
            f"{str(file)!r} is damaged or no file of scores ({reason_of(error)}); remove it and score again."
        ) from error


def _scored(kind: str, found: Mapping[str, Mapping[str, Any]]) -> dict[Option, dict[str, float]]:
    """Return the options of one kind with their scores, out of what a file holds by their sizes."""
    if not found:
        raise LabError(f"no option of {kind}")
    return {
        Option.parse(f"{kind}.{size}"): {name: float(numbers[name]) for name in SCORES}
        for size, numbers in found.items()
    }
