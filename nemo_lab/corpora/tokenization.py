"""A byte-level BPE tokenizer, trained on the lab's corpora in equal parts, kept as an artifact.

Byte-level (GPT-2's, as in the Nemotron tokenizers): every string has tokens and comes back exactly, there is
no unknown token. Trained on the training splits only, 1 MB of each corpus, so that no domain owns the
vocabulary. Two special tokens: `<|endoftext|>` (id 0) ends a document, `<|pad|>` (id 1) fills a batch. In
text they are ordinary characters: a web page that spells one out must not end a document.
"""

import functools
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_lab.artifacts import artifact
from nemo_lab.corpora import mixtures
from nemo_lab.corpora.catalog import CORPORA
from nemo_lab.corpora.store import corpus_folder, present
from nemo_lab.errors import LabError, check_texts, check_whole

if TYPE_CHECKING:
    from tokenizers import Tokenizer

END_OF_TEXT = "<|endoftext|>"
PAD = "<|pad|>"
SPECIAL_TOKENS = (END_OF_TEXT, PAD)  # ids 0 and 1
_SMALLEST = 256 + len(SPECIAL_TOKENS)
_FILE = "tokenizer.json"


def tokenizer(
    vocab_size: int = 4096, corpora: Sequence[str] | None = None, bytes_per_corpus: int = mixtures.TRAIN_BYTES
) -> "Tokenizer":
    """Return the lab's tokenizer, training it first when it is missing (some ten seconds).

    Args:
        vocab_size: tokens in all, the two special ones and the 256 bytes included.
        corpora: what it is trained on; None: the default corpora that can be had here.
        bytes_per_corpus: bytes of each training split.

    Raises:
        LabError: a vocabulary under 258 tokens, or more text asked for than a corpus has.
    """
    return _loaded(tokenizer_folder(vocab_size, corpora, bytes_per_corpus) / _FILE)


_default = tokenizer  # `encode_documents` has an argument of that name


def tokenizer_folder(
    vocab_size: int = 4096, corpora: Sequence[str] | None = None, bytes_per_corpus: int = mixtures.TRAIN_BYTES
) -> Path:
    """Return the artifact's folder; `tokenizer.json` in it opens in `tokenizers` and `transformers`."""
    _check_vocabulary(vocab_size)
    check_whole("bytes_per_corpus", bytes_per_corpus)
    names = present(None) if corpora is None else check_texts("corpora", corpora)
    settings = {
        "vocab_size": vocab_size,
        "bytes_per_corpus": bytes_per_corpus,
        "corpora": {name: _fingerprint(name, bytes_per_corpus) for name in names},
    }

    def build(folder: Path) -> None:
        texts = mixtures.mixture(names, "train", bytes_per_corpus)["text"]
        train(texts, vocab_size).save(str(folder / _FILE))

    return artifact("tokenizer", settings, build)


def train(texts: Iterable[str], vocab_size: int) -> "Tokenizer":
    """Train a byte-level BPE on texts; the same texts in the same order give the same tokenizer.

    Raises:
        LabError: a vocabulary under 258 tokens, or no list of texts.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    _check_vocabulary(vocab_size)
    texts = check_texts("texts", texts)
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    made.decoder = decoders.ByteLevel()  # type: ignore[assignment]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=list(SPECIAL_TOKENS),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    made.train_from_iterator(texts, trainer)
    made.encode_special_tokens = True
    return made


def _check_vocabulary(vocab_size: int) -> None:
    if check_whole("vocab_size", vocab_size, 0) < _SMALLEST:
        raise LabError(f"vocab_size is {vocab_size}, expected at least {_SMALLEST}: 256 bytes and 2 special tokens.")


def encode_documents(texts: Sequence[str], tokenizer: "Tokenizer | None" = None) -> list[list[int]]:
    """Return the token ids of each document, without special tokens; None: the lab's default tokenizer.

    Raises:
        LabError: no list of texts, or something else than a tokenizer of `tokenizers`.
    """
    documents = check_texts("texts", texts)
    chosen = tokenizer if tokenizer is not None else _default()
    if not hasattr(chosen, "encode_batch_fast"):
        raise LabError(f"tokenizer is {chosen!r:.60}, expected one of `tokenizers`, such as `corpora.tokenizer()`.")
    return [encoding.ids for encoding in chosen.encode_batch_fast(documents, add_special_tokens=False)]


@functools.lru_cache(maxsize=8)
def _loaded(path: Path) -> "Tokenizer":
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(str(path))
    made.encode_special_tokens = True  # not kept in the file
    return made


def _fingerprint(name: str, budget: int) -> str:
    """Return what stands for a corpus's content: its artifact's name, or a hash of what is drawn of it."""
    if name in CORPORA:
        return corpus_folder(name).name
    texts = mixtures.mixture([name], "train", budget)["text"]
    return hashlib.sha256("\0".join(texts).encode("utf-8")).hexdigest()
