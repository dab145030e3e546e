"""The command line: exit statuses, one sentence a mistake, and an answer at once."""

import json
import subprocess
import sys

import pytest

from nemo_lab.cli import main
from tests.lab.tiny_notebooks import tiny


@pytest.fixture
def lab(tmp_path, monkeypatch):
    """A folder with `notebooks/` of two notebooks, entered."""
    for name in ("10_first_one", "11_second"):
        tiny(tmp_path / "notebooks", name, "print(steps)")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NEMO_LAB_SCALE", raising=False)
    return tmp_path


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom nemo_lab.cli import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('torch', 'pandas', 'papermill', 'nbconvert') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert all(name in done.stdout for name in ("run", "report", "ledger", "verify", "doctor", "fetch", "climbmix"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--scale", "lptop"], "Unknown scale 'lptop', did you mean 'laptop'"),
        (["run", "12"], "Unknown notebook '12'; valid: 10_first_one, 11_second"),
        (["run", "-p", "stpes", "3"], "unknown knob 'stpes', did you mean 'steps'"),
        (["run", "--write", "-p", "steps", "3"], "leave out -p"),
        (["report"], "There are no runs yet"),
        (["verify", "nope"], "Unknown notebook 'nope'"),
        (["climbmix", "nope", "--out", "mix"], "Unknown corpus 'nope'"),
        (["climbmix", "novels", "novels", "--out", "mix"], "A source stands twice"),
        (["climbmix", "notebooks", "--goal", "./notebooks", "--out", "mix"], "are the same text"),
        (["climbmix", "notebooks", "--out", "notebooks/mix"], "lies inside the source"),
        (["climbmix", "--out", "notebooks"], "notebooks exists"),
        (["climbmix", "--goal", "novels", "novels", "--out", "mix"], "'novels' is among the sources"),
        (["climbmix", "--scale", "lptop", "--out", "mix"], "Unknown scale 'lptop'"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_2(lab, capsys, arguments, words):
    assert main(arguments) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("nemo-lab: ")
    assert len(output.err.splitlines()) == 1
    assert words in output.err
    assert not (lab / "runs").exists()


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [("--bytes", "-3", "expected bytes"), ("--bytes", "1k", "expected bytes"), ("--jobs", "0", "at least 1")],
)
def test_sizes_of_a_climbmix_are_checked_before_anything_runs(capsys, option, value, words):
    with pytest.raises(SystemExit) as ended:
        main(["climbmix", "--out", "mix", option, value])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err


def test_a_scale_in_the_environment_is_checked_too(lab, capsys, monkeypatch):
    monkeypatch.setenv("NEMO_LAB_SCALE", "huge")
    assert main(["run"]) == 2
    assert "'huge'" in capsys.readouterr().err


def test_run_report_ledger_and_verify_from_beginning_to_end(lab, capsys):
    assert main(["run", "10", "--scale", "smoke", "--seed", "0", "1", "--write"]) == 0
    output = capsys.readouterr()
    assert output.out.splitlines()[0].split()[:4] == ["notebook", "scale", "seed", "status"]
    assert len(output.out.splitlines()) == 3
    assert "[2/2] 10_first_one  smoke  seed 1  ok" in output.err
    record = json.loads((lab / "notebooks" / "records" / "10_first_one.smoke.json").read_text())
    assert record["seed"] == 0

    assert main(["run", "second", "--scale", "smoke", "-p", "steps", "8"]) == 0
    assert main(["report"]) == 0
    assert capsys.readouterr().out.strip().endswith("report/index.html")
    assert (lab / "report" / "11_second.seed0.html").exists()

    assert main(["verify", "first_one"]) == 0
    assert main(["verify"]) == 1
    assert "no stored outputs" in capsys.readouterr().out
    assert main(["ledger", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("| paper |")


def test_the_report_falls_back_on_what_is_stored(lab):
    assert main(["run", "10", "--scale", "smoke", "--write", "--out", "elsewhere"]) == 0
    assert main(["report"]) == 0
    assert (lab / "report" / "10_first_one.seed0.html").exists()


def test_a_failing_notebook_is_status_1_and_said(lab, capsys):
    tiny(lab / "notebooks", "10_first_one", "1 / 0")
    assert main(["run", "--scale", "smoke"]) == 1
    output = capsys.readouterr()
    assert "cell 2: ZeroDivisionError: division by zero" in output.err
    assert [line.split()[3] for line in output.out.splitlines()[1:]] == ["failed", "ok"]


def test_the_ledger_is_there_before_anything_was_run(lab, capsys):
    assert main(["ledger"]) == 0
    assert "not run yet" in capsys.readouterr().out


def test_ctrl_c_is_one_line_and_130(lab, capsys, monkeypatch):
    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr("nemo_lab.lab.runs.execute.execute", interrupted)
    assert main(["run", "--scale", "smoke"]) == 130
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("nemo-lab: stopped")
