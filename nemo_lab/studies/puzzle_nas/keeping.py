"""Libraries that are built once and kept: on demand, in the lab's folder, going on where a killed run stopped.

A library is an artifact: its folder carries a hash of the settings and of all code behind the job that made it. What
is half made lies in `home()/unfinished` under the same name until it is whole, and outlives a kill there. When the code
has changed, no run goes on with what the old code left, and `sweep` removes it.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nemo_lab.artifacts import artifact, artifact_folder, artifact_key, unless_building
from nemo_lab.errors import LabError
from nemo_lab.files import home, write_text
from nemo_lab.jobs import resumed, run_many
from nemo_lab.studies.puzzle_nas.runs import Texts, library_part, recorded
from nemo_lab.studies.puzzle_nas.settings import PuzzleNAS
from nemo_lab.studies.puzzle_nas.trials import local_trials
from nemo_lab.training.identity import fingerprint

VERSION = ".version"  # a file in each unfinished folder: the hash of the code that it was begun with
_DECIDE = ("layers", "heads", "widths", "length", "library_rows", "score_rows", "local_steps", "local_lr")
_RECORDS = ("steps", "batch_rows", "held_out_rows", "every")  # what decides a record beside these
_FITTED, _SAID = ("library_NL", "scores_NL"), ("distil_SBL", "held_out_NL")  # texts that a library and a record read


@dataclass(frozen=True)
class KeptLibraries:
    """Where everything lies: of each repeat the folder of each layer and that of its record; the trials' folder."""

    layer_folders: dict[int, list[Path]]
    records: dict[int, Path]
    trials: Path


def keep_libraries(
    source: Path,
    s: PuzzleNAS,
    texts: Mapping[int, Texts],
    domains: Sequence[str],
    trial_layers: Sequence[int],
    parts: int = 2,
) -> KeptLibraries:
    """Return libraries with scores and records of all repeats, and trials of the first: kept ones, or made now.

    What is missing is made in two processes; a run that is killed goes on with the layer it was at.

    Args:
        source: the parent's folder, named for the model. s: settings. texts: by repeat, drawn from `domains`.
        trial_layers: layers of which `local_trials` are made. parts: of each library, made apart: each so many layers.

    Raises:
        LabError: no text, no part, no parent in `source`, options that are none, or what `artifact` refuses.
    """
    if not texts or parts < 1:
        raise LabError(f"{len(texts)} repeats in {parts} parts: give the text of one repeat and one part at least.")
    jobs: dict[tuple[str, int, int], Callable[[], Path]] = {}
    for n, text in texts.items():
        keep = partial(_keep, source, s, text, n, domains)
        for part in range(parts):
            jobs["library", n, part] = partial(keep, "puzzle-library", library_part, part=part, parts=parts)
        jobs["record", n, 0] = partial(keep, "puzzle-record", recorded, also=_RECORDS, reads=_SAID)
    first = next(iter(texts))
    trials = partial(_keep, source, s, texts[first], first, domains, "puzzle-trials", local_trials)
    jobs["trials", first, 0] = partial(trials, layers=list(trial_layers))
    folders = dict(zip(jobs, run_many(list(jobs.values()), desc="library, scores"), strict=True))
    return KeptLibraries(
        {n: [folders["library", n, layer % parts] for layer in range(s.layers)] for n in texts},
        {n: folders["record", n, 0] for n in texts},
        folders["trials", first, 0],
    )


def _keep(
    source: Path,
    s: PuzzleNAS,
    text: Texts,
    repeat: int,
    domains: Sequence[str],
    name: str,
    job: Callable[..., None],
    also: Sequence[str] = (),
    reads: Sequence[str] = _FITTED,
    **more: Any,
) -> Path:
    """Keep what one job of a repeat makes; `also` are settings that decide it, `more` its further arguments."""
    settings = {field: getattr(s, field) for field in (*_DECIDE, *also)}
    settings |= {"model": source.name, "seed": repeat, "domains": list(domains), "job": more}
    settings["text"] = fingerprint(*(getattr(text, rows) for rows in reads))
    return kept(name, settings, partial(job, source, s, text, **more))


# --- anything that is kept


def kept(name: str, settings: Mapping[str, Any], job: Callable[[Path], None]) -> Path:
    """Return the folder with what `job` writes, made by an earlier run or now, from where a killed run left off.

    Args:
        name: and settings, as `artifact` takes them.
        job: writes each file whole or not at all into the folder that it is given, and leaves those that are there.
            Its code, and all code that it reaches, decides the folder.

    Raises:
        LabError: as `artifact`; what the job raises passes through.
    """
    unfinished = home() / "unfinished"
    any_place = _build(job, "", unfinished)  # version and place are values, and no part of a builder's code
    version = artifact_key(name, {}, any_place)
    sweep(unfinished, name, version)
    place = unfinished / artifact_folder(name, dict(settings), any_place).name
    return artifact(name, dict(settings), _build(job, version, place))


def _build(job: Callable[[Path], None], version: str, work: Path) -> Callable[[Path], None]:
    """Return the builder that runs a job in `work` and moves what it wrote to the folder of the artifact."""
    return partial(resumed, partial(_versioned, job, version), work)


def _versioned(job: Callable[[Path], None], version: str, work: Path) -> None:
    """Run a job in `work`, which says meanwhile what code began it."""
    write_text(work / VERSION, version)
    job(work)
    (work / VERSION).unlink()


def sweep(unfinished: Path, name: str, version: str) -> None:
    """Remove what other code than `version` left unfinished under this name; no run would go on with it.

    What another process is at stays: `artifact` holds the lock of a folder's name while it builds.
    """
    for folder in unfinished.glob(f"{name}-*"):
        own = re.fullmatch(f"{re.escape(name)}-[0-9a-f]{{16}}", folder.name) and folder.is_dir()
        if own and _version_of(folder) != version:
            with unless_building(folder.name) as free:
                if free:
                    shutil.rmtree(folder, ignore_errors=True)


def _version_of(folder: Path) -> str:
    file = folder / VERSION
    return file.read_text(encoding="utf-8") if file.is_file() else ""
