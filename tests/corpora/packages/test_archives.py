"""Archives: right members, no links, no way out of the folder, no bombs."""

import pytest

from nemo_lab.corpora.packages import archives
from nemo_lab.corpora.packages.archives import members, unpack
from nemo_lab.errors import LabError

FILES = {"a/one.txt": b"one", "a/two.py": b"two", "b/three.txt": b"3" * 100}


@pytest.mark.parametrize("name", ["x.whl", "x.deb", "x.tgz"])
def test_members_match_the_pattern_in_order_and_without_links(write_archive, tmp_path, name):
    archive = write_archive(tmp_path / name, FILES)
    assert list(members(archive, "*.txt")) == [("a/one.txt", b"one"), ("b/three.txt", b"3" * 100)]
    assert dict(members(archive, "*")) == FILES


@pytest.mark.parametrize("name", ["x.whl", "x.deb", "x.tgz"])
def test_a_member_over_the_limit_is_refused(write_archive, tmp_path, name, monkeypatch):
    monkeypatch.setattr(archives, "MEMBER_LIMIT", 50)
    with pytest.raises(LabError, match=r"b/three.txt has 1?\d+ bytes, the limit is 50"):
        list(members(write_archive(tmp_path / name, FILES), "*"))


def test_the_total_is_limited(write_archive, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "TOTAL_LIMIT", 80)
    with pytest.raises(LabError, match="more than 80 bytes"):
        list(members(write_archive(tmp_path / "x.whl", FILES), "*"))


@pytest.mark.parametrize("name", ["x.whl", "x.deb", "x.tgz"])
def test_a_damaged_archive_is_one_sentence(write_archive, tmp_path, name):
    archive = write_archive(tmp_path / name, FILES)
    archive.write_bytes(archive.read_bytes()[: archive.stat().st_size // 2])
    with pytest.raises(LabError, match="not a readable archive"):
        list(members(archive, "*"))


def test_no_archive_at_all(tmp_path):
    (tmp_path / "x.deb").write_bytes(b"hello")
    with pytest.raises(LabError, match="no ar signature"):
        list(members(tmp_path / "x.deb", "*"))
    (tmp_path / "x.rar").write_bytes(b"hello")
    with pytest.raises(LabError, match=r"only \.whl, \.deb, \.tgz"):
        list(members(tmp_path / "x.rar", "*"))


@pytest.mark.parametrize("evil", ["../out.txt", "/etc/out.txt", "a/../../out.txt", "a\\..\\out.txt"])
def test_unpack_never_leaves_its_folder(write_archive, tmp_path, evil):
    archive = write_archive(tmp_path / "x.tgz", {"fine.txt": b"1", evil: b"2"})
    with pytest.raises(LabError, match="would leave its folder"):
        unpack(archive, "*", tmp_path / "inside")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["inside", "x.tgz"]


def test_unpack_writes_the_matching_members(write_archive, tmp_path):
    written = unpack(write_archive(tmp_path / "x.whl", FILES), "a/*", tmp_path / "inside")
    assert [path.relative_to(tmp_path / "inside").as_posix() for path in written] == ["a/one.txt", "a/two.py"]
    assert written[0].read_bytes() == b"one"
