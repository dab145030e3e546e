"""The arguments of `nemo-lab curate`, and what they mean to `curate_to`.

What runs is imported when it runs, so that `nemo-lab --help` answers at once.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from nemo_lab.errors import LabError

if TYPE_CHECKING:
    from nemo_lab.curation.shards import web, web_report, web_scores

KEY = "NEMO_LAB_ENDPOINT_KEY"  # where a server's key is looked for, since arguments are seen by everybody
ANY = "any"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments but `--jobs`."""
    inputs = ".warc.gz, .wet.gz, .parquet, .jsonl (also .gz, .zst), a page or a folder"
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN", help=inputs)
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards and the report")
    parser.add_argument(
        "--language", nargs="+", default=["en"], metavar="CODE", help=f"languages that stay, or {ANY} (default: en)"
    )
    parser.add_argument(
        "--extractor", default="justext", metavar="NAME", help="justext, as the paper (default), or lynx, as extract"
    )
    parser.add_argument("--no-rules", action="store_true", help="keep pages that break heuristic rules")
    parser.add_argument("--keep-duplicates", action="store_true", help="do not look for copies")
    parser.add_argument(
        "--good",
        metavar="SOURCE",
        help="texts that are good by your judgement: a file, a folder or a corpus of the lab, such as encyclopedia "
        "(default: countable signs of explaining prose decide alone)",
    )
    parser.add_argument("--vectors", action="store_true", help="a third scorer, on embeddings by MiniLM; slower")
    parser.add_argument(
        "--keep-out", type=Path, action="append", default=[], metavar="FILE", help="test items, as for extract"
    )
    parser.add_argument(
        "--rephrase",
        metavar="WRITER",
        help="write the best and the worst pages anew: the address of an OpenAI-compatible server (its key in "
        f"${KEY}), a packaged chat model such as smollm2, or a folder of one",
    )
    parser.add_argument("--model", default="", metavar="NAME", help="the model's name on that server")


def curate(options: argparse.Namespace, encode: web_scores.Encoder) -> web_report.Funnel:
    """Run `curate_to` by these arguments; `encode` makes vectors of texts where they are asked for."""
    from nemo_lab.curation.shards import web

    languages = () if options.language == [ANY] else tuple(options.language)
    if ANY in languages:
        raise LabError(f"--language is {' '.join(languages)}; give codes, or {ANY} alone.")
    choices = web.WebOptions(languages, options.extractor, not options.no_rules, not options.keep_duplicates)
    return web.curate_to(options.inputs, options.out, choices, _guidance(options, encode), jobs=options.jobs)


def _guidance(options: argparse.Namespace, encode: web_scores.Encoder) -> web.Guidance:
    from nemo_lab import corpora
    from nemo_lab.curation.filters.decontamination import read_items
    from nemo_lab.curation.shards import web, web_scores
    from nemo_lab.curation.shards.web_rephrasing import open_writer

    if options.model and not options.rephrase:
        raise LabError(f"--model is {options.model!r} and there is no --rephrase; give the server's address as well.")
    good = web_scores.sample_of(corpora.load(options.good)["text"]) if options.good else []
    items = [item for file in options.keep_out for item in read_items(file)]
    writer = open_writer(options.rephrase, options.model, os.environ.get(KEY, "")) if options.rephrase else None
    name = f"{options.rephrase} {options.model}".strip() if options.rephrase else ""
    return web.Guidance(good, items, encode if options.vectors else None, writer, name)
