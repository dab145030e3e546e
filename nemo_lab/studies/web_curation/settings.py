"""The numbers behind notebook 02, web curation, one instance a scale."""

from collections.abc import Mapping
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class WebCuration:
    """02: pages to text, scorers to buckets, text to rephrasings, and tiny models that say what it was worth."""

    seeds: int  # repeats of every comparison
    pages: int  # of each site, for the yield of extractors
    translations: int  # of one text, for language identification
    licences: int  # documents that duplicates are looked for in
    documents: int  # of each origin in the pool
    annotated: int  # of the pool, to teach the regressors
    instructions: int  # questions with answers, to teach the n-grams
    precision: float  # at which scorers are compared
    top: float  # share of the pool that one classifier would keep
    steps: int  # updates of a run over selections
    anneal_steps: int  # updates of a run on a bucket, from a model trained for `steps`
    batch_size: int  # rows an update
    length: int  # tokens a row
    d_model: int  # width, a multiple of 32
    vocab_size: int
    peak_lr: float
    held_out: int  # documents of each good origin that runs are scored on
    raw: int  # documents that are rephrased, of the best and of the worst
    characters: int  # of such a document, the first ones
    input_tokens: int  # of a prompt at most, where the task allows more
    reply_tokens: int  # of a reply at most, where the task allows more
    epochs: tuple[int, ...]  # passes over the same text
    writer: str = "smollm2"  # who rephrases: a packaged chat model, or a folder that holds one


_WEB = WebCuration(
    seeds=3,
    pages=40,
    translations=200,
    licences=1500,
    documents=100,
    annotated=200,
    instructions=400,
    precision=0.6,
    top=0.1,
    steps=150,
    anneal_steps=50,
    batch_size=8,
    length=128,
    d_model=64,
    vocab_size=1024,
    peak_lr=1e-2,
    held_out=15,
    raw=24,
    characters=450,
    input_tokens=512,
    reply_tokens=224,
    epochs=(1, 2, 4, 8, 16),
)


SETTINGS: Mapping[str, WebCuration] = {
    "smoke": replace(
        _WEB,
        seeds=1,
        pages=2,
        translations=40,
        licences=30,
        documents=4,
        annotated=6,
        instructions=20,
        precision=0.5,
        steps=2,
        anneal_steps=1,
        batch_size=2,
        length=64,
        d_model=32,
        vocab_size=512,
        held_out=1,
        raw=1,
        characters=200,
        reply_tokens=4,
        epochs=(1, 8),
    ),
    "laptop": _WEB,
    "gpu": replace(
        _WEB,
        pages=700,
        translations=450,
        licences=9000,
        documents=600,
        annotated=3000,
        instructions=2000,
        steps=3000,
        anneal_steps=600,
        batch_size=64,
        length=1024,
        d_model=768,
        vocab_size=16_384,
        peak_lr=1e-3,
        held_out=60,
        raw=300,
        characters=10_000,
        input_tokens=2000,
        reply_tokens=1600,
    ),
    "cluster": replace(
        _WEB,
        pages=700,
        translations=450,
        licences=20_000,
        documents=600,
        annotated=7000,
        instructions=2000,
        steps=20_000,
        anneal_steps=3000,
        batch_size=512,
        length=2048,
        d_model=2048,
        vocab_size=65_536,
        peak_lr=3e-4,
        held_out=60,
        raw=1500,
        characters=10_000,
        input_tokens=2000,
        reply_tokens=1600,
    ),
}
