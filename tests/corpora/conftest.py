"""Archives of every kind and two small corpora, made on the spot."""

import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def write_archive():
    """A function that writes files into a wheel, a .deb or an npm tarball, by the path's suffix."""
    return _write


def tar_bytes(files: dict[str, bytes], mode: str, prefix: str = "") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as package:
        for name, content in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            package.addfile(info, io.BytesIO(content))
        link = tarfile.TarInfo(prefix + "a/link.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        package.addfile(link)
    return stream.getvalue()


def ar_member(name: str, content: bytes) -> bytes:
    header = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
    return header + content + b"\n" * (len(content) % 2)


def _write(path: Path, files: dict[str, bytes]) -> Path:
    if path.suffix == ".whl":
        with zipfile.ZipFile(path, "w") as package:
            for name, content in files.items():
                package.writestr(name, content)
    elif path.suffix == ".deb":
        inside = [ar_member("debian-binary", b"2.0\n"), ar_member("control.tar.xz", b"odd")]
        path.write_bytes(b"!<arch>\n" + b"".join(inside) + ar_member("data.tar.xz", tar_bytes(files, "w:xz", "./")))
    else:
        path.write_bytes(tar_bytes(files, "w:gz"))
    return path


@pytest.fixture
def two_corpora(tmp_path, lab_home) -> list[str]:
    """Paths of two files of 120 documents each, of different alphabets."""
    generator = np.random.default_rng(0)
    paths = []
    for name, alphabet in (("latin", "abcdefg "), ("greek", "αβγδεζ ")):
        rows = []
        for _ in range(120):
            letters = generator.choice(list(alphabet), int(generator.integers(50, 400)))
            rows.append(json.dumps({"text": "".join(letters)}))
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(rows))
        paths.append(str(path))
    return paths
