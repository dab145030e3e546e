"""Fetching with fake clients: what is kept, what is refused, and the sentence for every failure."""

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from nemo_lab.corpora.packages import clients, fetch
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.corpora.packages.fetch import Package
from nemo_lab.errors import LabError

CONTENT = b"the archive, whole\n" * 1000
SUFFIX = {"pip": ".whl", "apt": ".deb", "npm": ".tgz"}


def wanted(kind: str, **changes) -> Package:
    entry = {
        "name": "sample",
        "version": "1:2.0-3",
        "kind": kind,
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "bytes": len(CONTENT),
        "licence": "MIT",
        "purpose": "test",
    }
    return Package(**{**entry, **changes})


@pytest.fixture
def world(tmp_path, monkeypatch, lab_home):
    """A machine of our own: its clients are scripts that we write, its manifest has one package."""
    return World(tmp_path, monkeypatch)


class World:
    def __init__(self, folder: Path, monkeypatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.bin, self.modules = folder / "bin", folder / "modules"
        self.bin.mkdir()
        (self.modules / "pip").mkdir(parents=True)
        (self.modules / "pip" / "__init__.py").touch()
        (folder / "content").write_bytes(CONTENT)
        monkeypatch.setenv("PATH", str(self.bin))
        monkeypatch.setenv("PYTHONPATH", str(self.modules))
        monkeypatch.setenv("WORLD", str(folder))
        clients.update_index.cache_clear()
        clients._madison.cache_clear()
        self.as_user()

    def as_user(self, number: int = 1000) -> None:
        self.monkeypatch.setattr(clients.os, "geteuid", lambda: number)

    def sells(self, kind: str, **changes) -> None:
        self.monkeypatch.setattr(fetch, "manifest", lambda: {"sample": wanted(kind, **changes)})

    def client(self, kind: str, body: str) -> None:
        """Install a client that runs `body` with `world`, `args` and `deliver(content)` at hand."""
        source = PRELUDE.format(suffix=SUFFIX[kind]) + textwrap.dedent(body)
        if kind == "pip":
            (self.modules / "pip" / "__main__.py").write_text(source)
            return
        script = self.bin / {"apt": "apt-get", "npm": "npm"}[kind]
        script.write_text(f"#!{sys.executable}\n{source}")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)

    def calls(self) -> list[list[str]]:
        log = self.folder / "calls"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def leftovers(self) -> list[str]:
        kept = fetch.home() / "packages"
        return [str(p.relative_to(kept)) for p in kept.rglob("*") if p.is_file() and ".locks" not in p.parts]


PRELUDE = """
import json, os, pathlib, sys, time
world, args = pathlib.Path(os.environ["WORLD"]), sys.argv[1:]
with open(world / "calls", "a") as log: log.write(json.dumps(args) + "\\n")
content = (world / "content").read_bytes()
def deliver(what=content): pathlib.Path("sample_2.0{suffix}").write_bytes(what)
"""
KINDS = pytest.mark.parametrize("kind", ["pip", "apt", "npm"])
SERVED = ["sample_2.0.whl", "sample_2.0.deb", "sample_2.0.tgz"]


@KINDS
def test_fetches_the_exact_version_once_and_works_without_the_client_afterwards(world, kind):
    world.sells(kind)
    world.client(kind, "deliver()")
    path = fetch.package("sample")
    assert path.read_bytes() == CONTENT
    assert path.suffix == SUFFIX[kind]
    assert any("sample" in argument and "1:2.0-3" in argument for argument in world.calls()[0])
    world.client(kind, "sys.exit('must not be called')")
    assert fetch.package("sample") == path
    assert len(world.calls()) == 1
    assert fetch.cached("sample")


def test_pip_takes_wheels_only_and_npm_runs_no_scripts():
    assert "--only-binary=:all:" in clients._command("pip", "a", "1", ())
    assert "--no-deps" in clients._command("pip", "a", "1", ())
    assert "--ignore-scripts" in clients._command("npm", "a", "1", ())


@KINDS
def test_other_content_is_refused_and_not_kept(world, kind):
    world.sells(kind, sha256="0" * 64)
    world.client(kind, "deliver()")
    with pytest.raises(PackageError, match=r"another content for sample 1:2\.0-3.*nothing was kept"):
        fetch.package("sample")
    assert world.leftovers() == []


def test_a_damaged_cached_file_is_fetched_again(world, caplog):
    world.sells("npm")
    world.client("npm", "deliver()")
    path = fetch.package("sample")
    path.write_bytes(CONTENT[:-1] + b"X")
    assert fetch.package("sample").read_bytes() == CONTENT
    assert "is damaged" in caplog.text
    assert len(world.calls()) == 2


def test_a_damaged_cached_file_without_network_is_one_sentence(world):
    world.sells("npm")
    world.client("npm", "deliver()")
    path = fetch.package("sample")
    path.write_bytes(b"short")
    world.client("npm", "sys.exit('npm error code ENOTFOUND')")
    with pytest.raises(PackageError, match=r"cached file .* is damaged and has to be fetched again: .*no network"):
        fetch.package("sample")


@pytest.mark.parametrize(("kind", "client"), [("apt", "apt-get"), ("npm", "npm")])
def test_missing_client_is_one_sentence(world, kind, client):
    world.sells(kind)
    with pytest.raises(PackageError, match=rf"'sample' needs {client}, which is not on this machine"):
        fetch.package("sample")


def test_missing_pip_is_one_sentence(world, monkeypatch):
    world.sells("pip")
    monkeypatch.setattr(clients.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(PackageError, match="needs pip, which is not on this machine; run `python -m ensurepip`"):
        fetch.package("sample")


NO_NETWORK = {
    "pip": "WARNING: Temporary failure in name resolution\\nERROR: No matching distribution found",
    "apt": "E: Failed to fetch sample.deb  Temporary failure resolving 'mirror'",
    "npm": "npm error code EAI_AGAIN\\nnpm error network request failed",
}
NO_VERSION = {
    "pip": "ERROR: Could not find a version that satisfies the requirement sample==9",
    "apt": "E: Version '9' for 'sample' was not found",
    "npm": "npm error code ETARGET\\nnpm error notarget No matching version found for sample@9.",
}


@KINDS
def test_no_network_is_one_sentence(world, kind):
    world.sells(kind)
    world.client(kind, f'sys.exit("""{NO_NETWORK[kind]}""")')
    with pytest.raises(PackageError, match="no network or no way to the server") as error:
        fetch.package("sample")
    assert "\n" not in str(error.value)
    assert world.leftovers() == []


@KINDS
def test_a_version_that_is_not_served_is_one_sentence(world, kind):
    world.sells(kind)
    world.client(kind, f'sys.exit("""{NO_VERSION[kind]}""")')
    expected = r"run `sudo apt-get update`.*another version: go on with the other corpora"
    with pytest.raises(PackageError, match=expected if kind == "apt" else "not served here"):
        fetch.package("sample")


def test_root_refreshes_apts_index_once_and_tries_again(world):
    world.sells("apt")
    world.as_user(0)
    world.client(
        "apt",
        """
        if args[0] == "update": (world / "updated").touch()
        elif (world / "updated").exists(): deliver()
        else: sys.exit("E: Unable to locate package sample")
        """,
    )
    assert fetch.package("sample").read_bytes() == CONTENT
    assert [call[0] for call in world.calls()] == ["download", "update", "download"]


def test_a_client_that_says_something_else_is_quoted(world):
    world.sells("npm")
    world.client("npm", "sys.exit('npm error disk is full')")
    with pytest.raises(PackageError, match="status 1 and said 'npm error disk is full'"):
        fetch.package("sample")


def test_a_client_that_hangs_is_killed_with_its_children(world, monkeypatch):
    def out_of_time(process, timeout):
        """The limit passes once the client's child is there."""
        while not ((world.folder / "child").exists() and (world.folder / "child").read_text()):
            assert process.poll() is None
            time.sleep(0.02)
        raise subprocess.TimeoutExpired(process.args, timeout)

    monkeypatch.setattr(clients, "TIME_LIMIT", 1.5)
    monkeypatch.setattr(subprocess.Popen, "communicate", out_of_time)
    world.sells("npm")
    world.client(
        "npm",
        """
        child = os.fork()
        if child: (world / "child").write_text(str(child))
        time.sleep(60)
        """,
    )
    with pytest.raises(PackageError, match="no answer within 2 s"):
        fetch.package("sample")
    child = int((world.folder / "child").read_text())
    deadline = time.monotonic() + 60
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(child)
    assert world.leftovers() == []


def _alive(pid: int) -> bool:
    """A killed orphan may stay as a zombie until init collects it: that counts as dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


FETCH = """
import hashlib, sys
from nemo_lab.corpora.packages import fetch
content = open(sys.argv[1], "rb").read()
right = hashlib.sha256(content).hexdigest()
entry = fetch.Package("sample", "1:2.0-3", "npm", right, len(content), "MIT", "test")
fetch.manifest = lambda: {"sample": entry}
print(fetch.package("sample"))
"""


def start(world) -> subprocess.Popen:
    command = [sys.executable, "-c", FETCH, str(world.folder / "content")]
    settings = {**os.environ, "PYTHONPATH": str(Path(fetch.__file__).parents[3])}
    return subprocess.Popen(command, env=settings, stdout=subprocess.PIPE, text=True)


def test_a_fetch_killed_half_way_leaves_nothing_that_is_used(world):
    world.sells("npm")
    half = "deliver(content[:500]); (world / 'half').touch(); time.sleep(300); deliver()"
    world.client("npm", half)
    first = start(world)
    deadline = time.monotonic() + 120
    while not (world.folder / "half").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not fetch.cached("sample")
    world.client("npm", "deliver()")
    second = start(world)
    assert Path(second.communicate(timeout=300)[0].strip()).read_bytes() == CONTENT
    assert world.leftovers() == ["sample-1_2.0-3/sample-1_2.0-3.tgz"]


def test_two_processes_at_once_fetch_once(world):
    world.client("npm", "time.sleep(0.7); deliver()")
    both = [start(world), start(world)]
    answers = {process.communicate(timeout=300)[0].strip() for process in both}
    assert len(answers) == 1
    assert Path(answers.pop()).read_bytes() == CONTENT
    assert len(world.calls()) == 1


def test_unknown_package_names_the_nearest():
    with pytest.raises(LabError, match="Unknown package 'dict-gcid', did you mean 'dict-gcide'"):
        fetch.package("dict-gcid")


def test_offered_asks_apt_for_exact_versions(world):
    world.client("apt", "")
    script = world.bin / "apt-cache"
    script.write_text("#!/bin/sh\necho ' a | 1.0 | source'\necho ' b | 2.1 | source'\n")
    script.chmod(0o755)
    assert clients.offered({"a": "1.0", "b": "2.0", "c": "1"}) == {"a"}
    assert clients.offered({}) == set()


def test_manifest_is_complete():
    for package in fetch.manifest().values():
        assert package.kind in SUFFIX, package
        assert len(bytes.fromhex(package.sha256)) == 32, package
        assert package.bytes > 10_000, package
        assert package.licence, package
        assert package.purpose, package
