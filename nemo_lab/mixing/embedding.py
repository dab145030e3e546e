"""Documents to vectors: the first step of CLIMB (arXiv 2504.13161, section 2.1).

    vectors_ND = embedded(texts)                              # MiniLM out of a package, offline
    vectors_ND = embedded(texts, "org/name", max_tokens=512)  # any sentence-transformers model of the hub
    vectors_ND = embedded(texts)                           # the same, kept: the second call reads a file

Relative to the paper: it embeds with stella_en_400M_v5 (1024 numbers a document, NVIDIA's tutorial reads the
first 512 tokens); the default here is all-MiniLM-L6-v2 (384 numbers, 22.7 M parameters) on the first 128, which
a laptop's core does at some fifty documents a second. Pooling is the model's own, the mean over tokens for
both. Vectors always have length 1, so that squared Euclidean distance is 2 - 2 cos and k-means compares angles.

Under `precision="bf16"` the matrix products run in bf16 and everything else in fp32 (autocast). Measured on 300
documents of the corpora: cosine to the fp32 vectors 0.99998 on average and never below 0.9999, for 1.5 to 2
times the speed where the CPU has bf16 instructions; the weights cast to bf16 as a whole were less exact
(0.99995) and no faster. Threads stay as the caller set them.

Shapes: N documents, D numbers a document.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from nemo_lab.artifacts import artifact
from nemo_lab.corpora.packages.models import MODELS, model_folder
from nemo_lab.errors import check_path, check_texts, check_whole, one_of
from nemo_lab.mixing.pools import MixingError
from nemo_lab.progress import progress, quiet
from nemo_lab.training.settings import PRECISIONS

Vectors = npt.NDArray[np.float32]
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
_HUB_FILES = ["*.json", "*.safetensors", "*.txt", "*.model"]  # weights in pickles are never fetched


def embedded(
    texts: Sequence[str],
    model: str | Path = "minilm",
    max_tokens: int = 128,
    batch_size: int = 32,
    precision: str = "bf16",
) -> Vectors:
    """Return one vector of length 1 for each text, [N, D].

    They come from a file where the same texts were embedded the same way before: an artifact, keyed by the texts,
    the model's files and the other arguments.

    Args:
        texts: N documents; the first `max_tokens` tokens of each are read.
        model: `minilm` (from a package, without network), a folder that SentenceTransformer opens, or a
            sentence-transformers model `org/name` of the Hugging Face hub.
        max_tokens: tokens read of a text, the model's special tokens included.
        batch_size: texts at once; texts of like length are put together.
        precision: "bf16" or "fp32", see above.

    Raises:
        MixingError: no texts, an unknown model or one that cannot be had, more tokens than the model reads.
        PackageError: the packaged model cannot be had on this machine.
    """
    from safetensors.numpy import load_file, save_file

    listed = _checked(texts, max_tokens, batch_size, precision)
    found = find_model(model)
    settings = {
        "texts": texts_hash(listed),
        "model": found.name if model in MODELS else _state_of(found),
        "max_tokens": max_tokens,
        "batch_size": batch_size,
        "precision": precision,
    }

    def build(folder: Path) -> None:
        vectors_ND = _encode(_load(found, max_tokens), listed, batch_size, precision)
        save_file({"vectors_ND": vectors_ND}, folder / "vectors.safetensors")

    folder = artifact("embeddings", settings, build)
    return load_file(folder / "vectors.safetensors")["vectors_ND"]


def texts_hash(texts: Sequence[str]) -> str:
    """Return the sha256 of texts in order; no two lists of texts share it by running into each other."""
    digest = hashlib.sha256()
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "big") + content)
    return digest.hexdigest()


def find_model(model: str | Path) -> Path:
    """Return the folder of a model: packaged, local, or of the hub (fetched, safetensors only).

    Raises:
        MixingError: there is none of this name.
        PackageError: the packaged model cannot be had on this machine.
    """
    check_path("model", model, kind=MixingError)
    if model in MODELS:
        return model_folder(str(model))
    if Path(model).is_dir():
        return Path(model)
    if not _HUB_ID.fullmatch(str(model)):
        sentence = one_of("model", str(model), sorted(MODELS))
        raise MixingError(f"{sentence} It is no folder either; a model of the Hugging Face hub is 'org/name'.")
    return _from_hub(str(model))


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    with quiet():
        try:
            return Path(snapshot_download(name, allow_patterns=_HUB_FILES))
        except Exception as error:  # the hub's client raises whatever its layers raise
            raise MixingError(
                f"The model {name!r} cannot be had from the Hugging Face hub ({type(error).__name__}) and is not in "
                f"its cache; check the name and the network, or use a packaged one: {', '.join(MODELS)}."
            ) from error


def _checked(texts: Sequence[str], max_tokens: int, batch_size: int, precision: str) -> list[str]:
    listed = check_texts("texts", texts, kind=MixingError)
    if not listed:
        raise MixingError("There are no texts to embed; give at least one.")
    check_whole("max_tokens", max_tokens, kind=MixingError)
    check_whole("batch_size", batch_size, kind=MixingError)
    if precision not in PRECISIONS:
        raise MixingError(one_of("precision", precision, PRECISIONS))
    return listed


def _load(folder: Path, max_tokens: int) -> Any:
    """Return the SentenceTransformer in `folder`, set to read `max_tokens`; no code out of the folder is run."""
    from sentence_transformers import SentenceTransformer

    with quiet():
        try:
            model = SentenceTransformer(str(folder), model_kwargs={"use_safetensors": True})
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ImportError) as error:
            reason = " ".join(str(error).split())[:200]
            raise MixingError(
                f"{str(folder)!r} does not open as a sentence-transformers model with safetensors: {reason}"
            ) from error
    transformer = getattr(model[0], "auto_model", None)
    if transformer is None:  # static word vectors read every token
        return model
    limit = getattr(transformer.config, "max_position_embeddings", max_tokens)
    if max_tokens > limit:
        raise MixingError(f"max_tokens is {max_tokens}, but the model in {folder.name!r} reads {limit} at most.")
    model.max_seq_length = max_tokens
    return model


def _encode(model: Any, texts: list[str], batch_size: int, precision: str) -> Vectors:
    """Embed the longest texts first, so that a batch is little padded and memory peaks at the start."""
    import torch

    from nemo_lab.modeling.bf16_products import replace_slow_products

    replace_slow_products()
    order = np.argsort([-len(text) for text in texts], kind="stable")
    batches = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    rows: list[Vectors] = []
    with torch.autocast(model.device.type, torch.bfloat16, enabled=precision == "bf16"):
        for batch in progress(batches, desc="embedding", unit="batch"):
            found = model.encode(
                [texts[index] for index in batch],
                batch_size=batch_size,
                show_progress_bar=False,
                convert_to_tensor=True,
            )
            rows.append(found.float().cpu().numpy())
    sorted_ND = np.concatenate(rows)
    sorted_ND /= np.maximum(np.linalg.norm(sorted_ND, axis=1, keepdims=True), 1e-12)
    return sorted_ND[np.argsort(order)]


def _state_of(folder: Path) -> list[list[str | int]]:
    """Return name, size and time of change of a model's files: what tells that it was trained further."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [[str(f.relative_to(folder)), f.stat().st_size, f.stat().st_mtime_ns] for f in files]
