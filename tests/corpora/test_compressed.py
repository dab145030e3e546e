"""Compressed files are known by their first bytes, read as a stream, and damage is one known error."""

import bz2
import gzip
import lzma
from pathlib import Path

import pyarrow as pa
import pytest

from nemo_lab.corpora import compressed

CONTENT = b"a line of text\n" * 5000


def zstd(content: bytes) -> bytes:
    return pa.Codec("zstd").compress(content).to_pybytes()


def lz4(content: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "lz4") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


PACKED = {
    "gzip": gzip.compress,
    "zstd": zstd,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lz4": lz4,
    "": bytes,
}


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("kind", PACKED)
@pytest.mark.parametrize("name", ["a.jsonl.gz", "a.jsonl", "a.zst"])
def test_the_content_tells_the_packing(tmp_path, kind, name):
    path = written(tmp_path / name, PACKED[kind](CONTENT))
    assert compressed.packing(path) == kind
    with compressed.opened(path) as stream:
        assert stream.readline() == b"a line of text\n"
        assert stream.peek(1)[:1] == b"a"
        assert len(stream.read()) == len(CONTENT) - 15


@pytest.mark.parametrize("kind", ["gzip", "zstd", "bzip2", "xz"])
def test_members_that_follow_each_other_are_one(tmp_path, kind):
    skipped = b"\x50\x2a\x4d\x18\x02\0\0\0xx" if kind == "zstd" else b""  # a frame that holds no data
    path = written(tmp_path / "a", skipped + PACKED[kind](b"one\n") + PACKED[kind](b"two\n"))
    with compressed.opened(path) as stream:
        assert stream.read() == b"one\ntwo\n"


@pytest.mark.parametrize("kind", ["gzip", "zstd", "bzip2", "xz", "lz4"])
@pytest.mark.parametrize("damage", ["cut", "changed"])
def test_damage_is_one_of_the_known_errors(tmp_path, kind, damage):
    content = PACKED[kind](CONTENT + bytes(range(256)) * 20)
    broken = content[: len(content) // 2] if damage == "cut" else content[:12] + b"\xff" * 30 + content[42:]
    with compressed.opened(written(tmp_path / "a", broken)) as stream, pytest.raises(compressed.DAMAGE) as caught:
        stream.read()
    assert compressed.unreadable(caught.value).startswith("file not readable from here on (")


def test_what_this_zstd_cannot_is_told_with_what_to_do(tmp_path):
    block = b"\x01\0\0"  # the last one, empty
    for start, advice in (
        (b"\x00\xa8", "window over 128 MiB; pack it anew"),
        (b"\x23\x07\0\0\0\0", "dictionary inside"),
    ):
        path = written(tmp_path / "a", b"\x28\xb5\x2f\xfd" + start + block)
        with compressed.opened(path) as stream, pytest.raises(compressed.DAMAGE) as caught:
            stream.read()
        assert advice in compressed.unreadable(caught.value)


def test_names_without_their_packing():
    names = {"A.JSONL.GZ": "a.jsonl", "b.json.zst": "b.json", "c.warc": "c.warc", "d.tar.xz": "d.tar", "e": "e"}
    assert {name: compressed.bare_name(Path(name)) for name in names} == names
