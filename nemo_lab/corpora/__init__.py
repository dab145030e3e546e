"""Where text comes from: packaged corpora, local files, Hugging Face hub ids, all as `datasets.Dataset`.

    from nemo_lab import corpora
    corpora.available()                             # what can be had on this machine
    corpora.load("novels", split="validation")      # columns id, text, source, licence
    corpora.load("my/folder/of/warc", limit=1000)   # JSON, parquet, text, WARC, also compressed; folders
    corpora.load("hf:org/name")                     # a data set of the Hugging Face hub, streamed
    corpora.mixture(split="train")                  # the same number of bytes of every domain
    corpora.tokenizer(vocab_size=4096)              # byte-level BPE trained on that mixture

The data cards are in `data_cards/`. Names are imported when they are used: importing this costs nothing.
"""

from nemo_lab.lazy import attach

_HOMES = {
    "CORPORA": "catalog",
    "DEFAULT_CORPORA": "catalog",
    "FALLBACK_CORPORA": "catalog",
    "PackageError": "packages.clients",
    "available": "store",
    "encode_documents": "tokenization",
    "load": "loading",
    "mixture": "mixtures",
    "package": "packages.fetch",
    "present": "store",
    "tokenizer": "tokenization",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
