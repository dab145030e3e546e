"""The arguments of `nemo-lab curate` become options, and what is wrong with them is one sentence."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nemo_lab.cli import main
from nemo_lab.curation.shards import web, web_command
from nemo_lab.curation.shards.web_report import Funnel


def given(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> tuple[web.WebOptions, web.Guidance]:
    """What `curate_to` is called with."""
    seen = {}

    def keep(paths, out, options, guidance, jobs):
        seen.update(options=options, guidance=guidance)
        return Funnel()

    monkeypatch.setattr(web, "curate_to", keep)
    parser = argparse.ArgumentParser()
    web_command.add_arguments(parser)
    options = parser.parse_args(["in", "--out", "out", *arguments])
    options.jobs = 1
    web_command.curate(options, lambda texts: np.zeros((len(texts), 2)))
    return seen["options"], seen["guidance"]


def test_the_defaults_are_the_papers(monkeypatch: pytest.MonkeyPatch) -> None:
    options, guidance = given(monkeypatch)
    assert options == web.WebOptions()
    assert (guidance.good, guidance.keep_out) == ([], [])
    assert (guidance.encode, guidance.writer, guidance.writer_name) == (None, None, "")


def test_each_argument_has_its_option(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "good.jsonl").write_text(json.dumps({"text": "a good text"}), encoding="utf-8")
    (tmp_path / "items.txt").write_text("one\ntwo\n", encoding="utf-8")
    options, guidance = given(
        monkeypatch,
        *("--language", "de", "fr", "--extractor", "lynx", "--no-rules", "--keep-duplicates", "--vectors"),
        *("--good", str(tmp_path / "good.jsonl"), "--keep-out", str(tmp_path / "items.txt")),
        *("--rephrase", "http://127.0.0.1:9/v1", "--model", "m"),
    )
    assert options == web.WebOptions(("de", "fr"), "lynx", rules=False, deduplicate=False)
    assert (guidance.good, guidance.keep_out) == (["a good text"], ["one", "two"])
    assert guidance.encode is not None
    assert guidance.writer_name == "http://127.0.0.1:9/v1 m"


def test_any_language(monkeypatch: pytest.MonkeyPatch) -> None:
    assert given(monkeypatch, "--language", "any")[0].languages == ()


def test_the_key_comes_from_the_environment_and_is_written_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(web_command.KEY, "secret")
    _, guidance = given(monkeypatch, "--rephrase", "http://127.0.0.1:9/v1")
    assert guidance.writer.ask.ask.__self__.key == "secret"
    assert "secret" not in guidance.writer_name


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--language", "any", "en"], "--language is any en"),
        (["--language", "english"], "'english' is none that pycld2 can name"),
        (["--extractor", "jusText"], "Unknown extractor 'jusText', did you mean 'justext'"),
        (["--good", "nothing"], "Unknown corpus 'nothing'"),
        (["--rephrase", "nobody"], "'nobody' is no folder and none of the packaged models"),
        (["--model", "m"], "there is no --rephrase"),
        (["--keep-out", "nothing.txt"], "There is no file 'nothing.txt'"),
    ],
)
def test_mistakes_are_one_sentence(arguments, words, tmp_path, capsys):
    (tmp_path / "page.html").write_text("<p>text", encoding="utf-8")
    assert main(["curate", str(tmp_path / "page.html"), "--out", str(tmp_path / "out"), *arguments]) == 2
    shown = capsys.readouterr().err
    assert words in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys; from nemo_lab import cli; cli._parser(); "
        "print([name for name in ('numpy', 'pyarrow', 'torch', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == "[]"
