"""A machine of its own: its clients are scripts that a test writes, its manifest has one package."""

import hashlib
import json
import stat
import sys
import textwrap
from pathlib import Path

import pytest

from nemo_lab.corpora.packages import clients, fetch
from nemo_lab.corpora.packages.fetch import Package

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
