"""Read a corpus once, keep it as three parquet files, load it in a fraction of a second ever after.

What is kept is an artifact: its folder is named by a hash of the packages' content and of the code that
reads, cuts and splits, so a changed reader makes a new corpus and never mixes with the old.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from nemo_lab.artifacts import artifact, artifact_folder
from nemo_lab.corpora import documents, splits
from nemo_lab.corpora.catalog import CORPORA, DEFAULT_CORPORA, FALLBACK_CORPORA, Corpus
from nemo_lab.corpora.packages import clients, fetch
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.errors import LabError, check_texts, one_of

if TYPE_CHECKING:
    from datasets import Dataset

COLUMNS = ("id", "text", "source", "licence")
_log = logging.getLogger(__name__)


def available() -> list[str]:
    """Return the names of the corpora that this machine has, or has a client and an offer for."""
    wanted = fetch.manifest()
    asked = {
        package: wanted[package].version
        for corpus in CORPORA.values()
        for package in corpus.packages
        if wanted[package].kind == "apt" and not fetch.cached(package)
    }
    offered = clients.offered(asked)

    def obtainable(package: str) -> bool:
        if fetch.cached(package):
            return True
        return package in offered if package in asked else not clients.missing(wanted[package].kind)

    return [name for name, corpus in CORPORA.items() if all(map(obtainable, corpus.packages))]


def present(names: Sequence[str] | None = None) -> list[str]:
    """Return `names` if all load here; without names, the defaults and, if some are absent, the fallback.

    What is absent is logged with its reason. Fewer than five domains are too few to go on with.

    Raises:
        PackageError: one of the `names` asked for cannot be had, or fewer than five of the defaults.
    """
    if names is not None:
        for name in (names := check_texts("names", names)):
            corpus_folder(name)
        return names
    _fetch_ahead(DEFAULT_CORPORA)
    found = [name for name in DEFAULT_CORPORA if _loads(name)]
    if len(found) < len(DEFAULT_CORPORA):
        found += [name for name in FALLBACK_CORPORA if _loads(name)]
    if len(found) < 5:
        raise PackageError(
            f"Only {len(found)} corpora can be had on this machine ({', '.join(found) or 'none'}), five are "
            "needed; the log says why each is absent, most often there is no network."
        )
    return found


def _fetch_ahead(names: Sequence[str]) -> None:
    """Fetch the packages of corpora that are still to be read in the background, while the first is read."""
    unread = [name for name in names if not _folder(name).is_dir()]
    packages = [package for name in unread for package in CORPORA[name].packages if not fetch.cached(package)]

    def run() -> None:
        for package in packages:
            with suppress(LabError):  # the reader asks for it again and says why it is absent
                fetch.package(package)

    if packages:
        Thread(target=run, daemon=True).start()


def _loads(name: str) -> bool:
    try:
        corpus_folder(name)
    except PackageError as error:
        _log.warning("Corpus %r is absent: %s", name, error)
        return False
    return True


def load_corpus(name: str, split: str | None = None) -> "Dataset":
    """Return a packaged corpus, or one split of it, with the columns id, text, source and licence.

    Raises:
        LabError: the name or split is not known.
        PackageError: one of its packages cannot be had on this machine.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq
    from datasets import Dataset

    if split is not None and split not in splits.SPLITS:
        raise LabError(one_of("split", split, splits.SPLITS))
    folder = corpus_folder(name)
    names = splits.SPLITS if split is None else (split,)
    return Dataset(pa.concat_tables([pq.read_table(folder / f"{part}.parquet") for part in names]))


def facts(name: str) -> dict[str, Any]:
    """Return what was counted while the corpus was read: units, documents, exact copies dropped, groups."""
    return json.loads((corpus_folder(name) / "facts.json").read_text(encoding="utf-8"))


def corpus_folder(name: str) -> Path:
    """Return the folder of a packaged corpus, fetching and reading it first when it is missing."""
    if name not in list(CORPORA):  # a list as a name has no hash
        raise LabError(one_of("corpus", name, sorted(CORPORA)))
    return artifact(*_recipe(CORPORA[name]))


def _folder(name: str) -> Path:
    """Return where a corpus lies or will lie, without making it."""
    return artifact_folder(*_recipe(CORPORA[name]))


def _recipe(corpus: Corpus) -> tuple[str, dict[str, Any], Callable[[Path], None]]:
    """Return the artifact's name, the settings that decide a corpus's content, and its builder."""
    content = {package: fetch.manifest()[package].sha256 for package in corpus.packages}
    # Not the whole catalog: a change to one entry must not rebuild the others.
    settings = {
        "name": corpus.name,
        "reader": corpus.reader,
        "joiner": corpus.joiner,
        "licence": corpus.licence,
    }
    return f"corpus-{corpus.name}", {**settings, "content": content}, partial(build, corpus)


def build(corpus: Corpus, folder: Path) -> None:
    """Fetch and read a corpus's packages; write one parquet file a split, and the counts, into `folder`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    paths = [fetch.package(package) for package in corpus.packages]
    versions = " + ".join(f"{name} {fetch.manifest()[name].version}" for name in corpus.packages)
    found = list(documents.documents(corpus.read(paths), corpus.joiner))
    kept = list({document.text: document for document in reversed(found)}.values())[::-1]  # first of exact copies
    texts = [document.text for document in kept]
    groups = splits.duplicate_groups(texts, [document.parent for document in kept])
    parts = splits.splits_of(texts, groups)
    rows = [
        {
            "id": identity(corpus.name, d.text),
            "text": d.text,
            "source": f"{d.name}, {versions}",
            "licence": corpus.licence,
        }
        for d in kept
    ]
    for split in splits.SPLITS:
        chosen = [row for row, part in zip(rows, parts, strict=True) if part == split]
        pq.write_table(pa.Table.from_pylist(chosen, schema=schema()), folder / f"{split}.parquet", compression="zstd")
    parents, distinct = len({d.parent for d in kept}), len(set(groups.tolist()))
    counts = {
        "documents": len(kept),
        "exact_copies": len(found) - len(kept),
        "parents": parents,
        "groups": distinct,
    }
    (folder / "facts.json").write_text(json.dumps(counts, indent=1), encoding="utf-8")


def schema() -> Any:
    """Return the arrow schema of every corpus: four columns of text."""
    import pyarrow as pa

    return pa.schema([(column, pa.string()) for column in COLUMNS])


def identity(corpus: str, text: str) -> str:
    """Return a document's id: the corpus and 16 hexadecimal digits of the sha1 of its text."""
    return f"{corpus}-{hashlib.sha1(text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
