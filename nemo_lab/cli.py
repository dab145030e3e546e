"""The command `nemo-lab`: run, report, ledger, verify, doctor, fetch, extract, curate, climbmix.

Thin on purpose: it reads arguments, calls one function of `nemo_lab.lab` (or `corpora`) and prints. Every
import is made inside the command that needs it, so `nemo-lab --help` answers at once. A user's mistake
(`LabError`) is one sentence on stderr and exit status 2; Ctrl-C is one line and 130; a notebook that failed
or a check that found something is 1.
"""

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from nemo_lab import __version__
from nemo_lab.errors import LabError

_Command = Callable[[argparse.Namespace], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 0, 1 (something failed), 2 (a mistake) or 130 (Ctrl-C)."""
    options = _parser().parse_args(arguments)
    command: _Command = options.command
    try:
        return command(options)
    except LabError as error:
        print(f"nemo-lab: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        onward = "the same command goes on" if command in (_climbmix, _curate, _extract) else "go on with --resume"
        print(f"\nnemo-lab: stopped; what was finished is kept, {onward}.", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _parser() -> argparse.ArgumentParser:
    about = "Nemotron papers as notebooks that run, measure and judge."
    parser = argparse.ArgumentParser(prog="nemo-lab", description=about)
    parser.add_argument("--version", action="version", version=f"nemo-lab {__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    def add(name: str, command: _Command, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(command=command)
        return sub

    _run_arguments(add("run", _run, "run notebooks, one record a run"))
    report = add("report", _report, "build the HTML report: the claims ledger and the executed notebooks")
    _runs_argument(report)
    report.add_argument("--out", type=Path, default=Path("report"), help="its folder (default: report)")
    ledger = add("ledger", _ledger, "print the claims ledger")
    _runs_argument(ledger)
    ledger.add_argument("--markdown", action="store_true", help="as a Markdown table")
    verify = add("verify", _verify, "name notebooks whose stored outputs are stale or unfit to be compared")
    _notebooks_argument(verify)
    verify.add_argument(
        "--replay",
        action="store_true",
        help="run at smoke by the code here and by another revision's, and stamp what shows the same numbers",
    )
    verify.add_argument("--against", metavar="REVISION", help="the revision to replay against, a git commit")
    add("doctor", _doctor, "say what this machine can do and what to install")
    fetch = add("fetch", _fetch, "fetch corpora now, so that later runs need no network")
    fetch.add_argument("names", nargs="*", metavar="NAME", help="corpora (default: all)")
    _extract_arguments(add("extract", _extract, "web pages to clean, scored text: WARC, WET, parquet or folders"))
    _curate_arguments(add("curate", _curate, "web pages to text with quality labels, as Nemotron-CC: the same inputs"))
    _climbmix_arguments(add("climbmix", _climbmix, "find the mixture of texts that serves a goal, as a dataset"))
    return parser


def _notebooks_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "notebooks", nargs="*", metavar="NOTEBOOK", help="name, number such as 05, or path (default: all)"
    )


def _runs_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--runs", type=Path, default=Path("runs"), help="folder of runs (default: runs, else what is stored)"
    )


def _run_arguments(parser: argparse.ArgumentParser) -> None:
    _notebooks_argument(parser)
    parser.add_argument("--scale", default="", help="smoke, laptop, gpu or cluster (default: laptop)")
    parser.add_argument("--seed", type=int, nargs="+", default=[0], metavar="N", help="one run each (default: 0)")
    parser.add_argument(
        "-p",
        "--parameter",
        nargs=2,
        action="append",
        default=[],
        metavar=("KNOB", "VALUE"),
        help="turn a knob; may be repeated",
    )
    parser.add_argument("--resume", action="store_true", help="keep finished runs of the same code")
    parser.add_argument("--out", type=Path, default=Path("runs"), help="folder of runs (default: runs)")
    parser.add_argument("--write", action="store_true", help="store the outputs in the notebooks themselves")


def _climbmix_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "sources", nargs="*", metavar="SOURCE", help="corpora, files or folders (default: the lab's, less the goal)"
    )
    parser.add_argument(
        "--goal",
        "--target",
        default="mixed-genres-1961",
        help="corpus, file or folder to be good at, not among the "
        "sources; a part of a large one is used (default: %(default)s)",
    )
    parser.add_argument(
        "--reference", default="", metavar="SOURCE", help="text that says what good text is; clusters unlike it go"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the new dataset")
    parser.add_argument(
        "--bytes", type=_size, default=0, metavar="N", help="its size (default: 0, what the mixture allows)"
    )
    parser.add_argument("--scale", default="", help="smoke, laptop, gpu or cluster (default: laptop)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of clusters and search (default: 0)")
    cores = os.cpu_count() or 1
    parser.add_argument(
        "--jobs", type=_count, default=cores, metavar="N", help="proxies at a time (default: all cores)"
    )


def _extract_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("inputs", nargs="+", type=Path, metavar="IN", help="WARC, WET, .parquet, a page or a folder")
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards and the report")
    parser.add_argument("--min-score", type=float, default=0.0, metavar="S", help="leave out pages below, 0 to 5")
    parser.add_argument("--keep-duplicates", action="store_true", help="do not look for near-duplicates")
    parser.add_argument(
        "--keep-out",
        type=Path,
        action="append",
        default=[],
        metavar="FILE",
        help="test items, one a line or a jsonl or parquet file with a column text; pages that quote one are left out",
    )
    _jobs_argument(parser)


def _curate_arguments(parser: argparse.ArgumentParser) -> None:
    from nemo_lab.curation.shards.web_command import add_arguments

    add_arguments(parser)
    _jobs_argument(parser)


def _jobs_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--jobs", type=_count, default=os.cpu_count() or 1, metavar="N", help="processes (default: all cores)"
    )


def _size(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"is {text!r}, expected bytes, or 0 for what the mixture allows")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"is {text!r}, expected a number of at least 1")
    return int(text)


def _run(options: argparse.Namespace) -> int:
    from nemo_lab.lab.runs.execute import run, store
    from nemo_lab.lab.runs.notebooks import find_notebooks
    from nemo_lab.lab.runs.plan import plan
    from nemo_lab.lab.runs.screen import Screen, table

    if options.write and options.parameter:
        raise LabError("--write stores what the parameters cell shows; leave out -p.")
    jobs = plan(find_notebooks(options.notebooks), options.scale, options.seed, options.parameter, options.out)
    screen = Screen(len(jobs))
    records = run(
        jobs,
        resume=options.resume,
        on_start=screen.start,
        on_cell=screen.cell,
        on_end=screen.end,
    )
    if options.write:
        for job, record in zip(jobs, records, strict=True):
            if record["status"] == "ok" and job.seed == options.seed[0]:
                store(job, record)
    print(table(records))
    return 0 if all(record["status"] == "ok" for record in records) else 1


def _report(options: argparse.Namespace) -> int:
    from nemo_lab.lab.report.build import build_report
    from nemo_lab.lab.runs.find import find_runs

    print(build_report(find_runs(options.runs), options.out))
    return 0


def _ledger(options: argparse.Namespace) -> int:
    from nemo_lab.lab.report.ledger import as_markdown, as_text, rows
    from nemo_lab.lab.runs.find import NoRuns, find_runs

    try:
        runs = find_runs(options.runs)
    except NoRuns:  # the ledger's rows exist before anything was run
        runs = {}
    print((as_markdown if options.markdown else as_text)(rows(runs)))
    return 0


def _verify(options: argparse.Namespace) -> int:
    from nemo_lab.lab.runs.notebooks import find_notebooks
    from nemo_lab.lab.runs.verify import verify

    chosen = find_notebooks(options.notebooks)
    if options.replay != bool(options.against):
        raise LabError("--replay and --against REVISION belong together: the one says what, the other with what.")
    if options.replay:
        return _replay(chosen, options.against)
    return _problems(verify(chosen), "ok")


def _replay(notebooks: Sequence[Path], against: str) -> int:
    from nemo_lab.lab.runs.replay import replay

    found = replay(notebooks, against, _tell)
    return _problems({name: result.differences for name, result in found.items()}, "equal, stamped")


def _problems(found: Mapping[str, Sequence[str]], good: str) -> int:
    """Print what is wrong with each notebook; return the exit status."""
    for name, problems in found.items():
        print(f"{name}: {good if not problems else ''}".rstrip())
        for problem in problems:
            print(f"  - {problem}")
    return 1 if any(found.values()) else 0


def _doctor(options: argparse.Namespace) -> int:
    from nemo_lab.lab.doctor import examine

    print(examine())
    return 0


def _climbmix(options: argparse.Namespace) -> int:
    import datasets

    from nemo_lab.lab.scales import check_seed, resolve
    from nemo_lab.mixing import pipeline, request
    from nemo_lab.studies.climb_mixing.methods import recipe_from

    datasets.disable_progress_bars()  # they tell of copied tables; ours tell of embedding and proxies
    settings, seed = resolve("03_climb_mixing", options.scale), check_seed(options.seed)
    sizes = settings.train_bytes, settings.held_out_bytes
    notes: list[str] = []
    dataset, goal, reference = request.read_request(
        options.sources, options.goal, options.reference, options.out, sizes, seed, notes.append
    )
    for line in notes:
        _tell(line)
    pipeline.make_climbmix(
        dataset,
        goal,
        recipe_from(settings),
        options.out,
        seed=seed,
        size=options.bytes,
        reference=reference,
        n_jobs=options.jobs,
        tell=_tell,
        notes=notes,
    )
    warning = request.shortfall(options.out)
    if warning:
        print(f"nemo-lab: {warning}", file=sys.stderr)
    print(options.out)
    return 0


def _extract(options: argparse.Namespace) -> int:
    from nemo_lab.curation import Options, extract_to
    from nemo_lab.curation.filters.decontamination import SHORTEST, read_items, too_short

    if not 0 <= options.min_score <= 5:
        raise LabError(f"--min-score is {options.min_score}, expected a score from 0 to 5.")
    items = [item for file in options.keep_out for item in read_items(file)]
    if short := too_short(items):
        told = f"{len(short):,} of {len(items):,} items of --keep-out have fewer than {SHORTEST} words"
        advice = "give question and answer in one line"
        print(f"nemo-lab: {told} and are not looked for, such as {short[0][:60]!r}; {advice}.", file=sys.stderr)
    choices = Options(min_score=options.min_score, deduplicate=not options.keep_duplicates)
    print(extract_to(options.inputs, options.out, choices, keep_out=items, jobs=options.jobs).lines())
    return 0


def _curate(options: argparse.Namespace) -> int:
    from nemo_lab.curation.shards.web_command import curate
    from nemo_lab.mixing.embedding import embedded

    print(curate(options, embedded).lines())
    return 0


def _tell(line: str) -> None:
    print(line, flush=True)


def _fetch(options: argparse.Namespace) -> int:
    from importlib import import_module

    corpora: Any = import_module("nemo_lab.corpora")
    known = list(corpora.available())
    unknown = [name for name in options.names if name not in known]
    if unknown:
        from nemo_lab.errors import one_of

        raise LabError(one_of("corpus", unknown[0], known))
    for name in options.names or known:
        print(f"{name}: {len(corpora.load(name)):,} documents", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
