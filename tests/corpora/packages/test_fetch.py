"""Fetching with fake clients: what is kept, what is refused, and what a kill or a second process leaves."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nemo_lab.corpora.packages import fetch
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.errors import LabError
from tests.corpora.packages.world import CONTENT, KINDS, SUFFIX


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


def test_manifest_is_complete():
    for package in fetch.manifest().values():
        assert package.kind in SUFFIX, package
        assert len(bytes.fromhex(package.sha256)) == 32, package
        assert package.bytes > 10_000, package
        assert package.licence, package
        assert package.purpose, package
