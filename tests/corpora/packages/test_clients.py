"""The clients: what each is asked for, and the sentence for every way in which it fails."""

import subprocess
import time
from pathlib import Path

import pytest

from nemo_lab.corpora.packages import clients, fetch
from nemo_lab.corpora.packages.clients import PackageError
from tests.corpora.packages.world import CONTENT, KINDS


def test_pip_takes_wheels_only_and_npm_runs_no_scripts():
    assert "--only-binary=:all:" in clients._command("pip", "a", "1", ())
    assert "--no-deps" in clients._command("pip", "a", "1", ())
    assert "--ignore-scripts" in clients._command("npm", "a", "1", ())


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


def test_offered_asks_apt_for_exact_versions(world):
    world.client("apt", "")
    script = world.bin / "apt-cache"
    script.write_text("#!/bin/sh\necho ' a | 1.0 | source'\necho ' b | 2.1 | source'\n")
    script.chmod(0o755)
    assert clients.offered({"a": "1.0", "b": "2.0", "c": "1"}) == {"a"}
    assert clients.offered({}) == set()
