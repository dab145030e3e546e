"""Archives of crawls: pages come out as text, and damage costs one record."""

import io

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from nemo_lab.corpora import files
from nemo_lab.corpora.loading import load


def record(writer, number, body, content_type="text/html; charset=utf-8", status="200 OK", kind="response"):
    headers = StatusAndHeaders(status, [("Content-Type", content_type)], protocol="HTTP/1.1")
    address = f"http://example.org/{number}"
    writer.write_record(writer.create_warc_record(address, kind, payload=io.BytesIO(body), http_headers=headers))


def warc(gzipped: bool) -> tuple[bytes, list[int]]:
    """Return an archive of eight records and where each begins."""
    stream, starts = io.BytesIO(), []
    writer = WARCWriter(stream, gzip=gzipped)
    bodies = [
        (b"<p>page one</p><script>x</script>", {}),
        ("<p>é two</p>".encode("latin-1"), {"content_type": "text/html; charset=ISO-8859-1"}),
        (b"\x89PNG", {"content_type": "image/png"}),
        (b"<p>gone</p>", {"status": "404 Not Found"}),
        (b"<p>page five</p>" * 3, {}),
        (b"plain six", {"content_type": "text/plain"}),
        (b"x" * 2000, {}),
        (b"<p>page eight</p>", {}),
    ]
    for number, (body, options) in enumerate(bodies, 1):
        starts.append(stream.tell())
        record(writer, number, body, **options)
    return stream.getvalue(), starts


@pytest.mark.parametrize("gzipped", [True, False])
def test_warc_pages_to_visible_text(tmp_path, gzipped, monkeypatch):
    monkeypatch.setattr(files, "RECORD_LIMIT", 1000)
    path = tmp_path / ("a.warc.gz" if gzipped else "a.warc")
    path.write_bytes(warc(gzipped)[0])
    found = load(path)
    assert found["text"][:] == [
        "page one",
        "é two",
        "page five\n\npage five\n\npage five",
        "plain six",
        "page eight",
    ]
    assert found["source"][0] == f"http://example.org/1, {path.name}"
    assert "1 × longer than 1,000 bytes" in found.info.description


@pytest.mark.parametrize("gzipped", [True, False])
def test_a_damaged_warc_record_costs_one_record(tmp_path, gzipped, caplog):
    content, starts = warc(gzipped)
    damaged = bytearray(content)
    place = starts[4]
    if gzipped:
        damaged[place + 20 : place + 60] = b"\xff" * 40
    else:
        damaged[place : place + 10] = b"NONSENSE!!"
    path = tmp_path / ("a.warc.gz" if gzipped else "a.warc")
    path.write_bytes(bytes(damaged))
    texts = load(path)["text"][:]
    assert "page one" in texts
    assert texts[-1] == "page eight", "reading goes on behind the damage"
    assert not any("five" in text for text in texts)
    assert f"Skipped {path.name} at byte {place}: damaged record" in caplog.text


@pytest.mark.parametrize("gzipped", [True, False])
@pytest.mark.parametrize("back", [5, 60, 200])
def test_a_warc_cut_short_gives_what_is_whole(tmp_path, gzipped, back):
    content, starts = warc(gzipped)
    path = tmp_path / ("a.warc.gz" if gzipped else "a.warc")
    path.write_bytes(content[: starts[5] - back])
    found = load(path)
    whole = ["page one", "é two"]
    assert found["text"][:2] == whole
    assert len(found) == 2 or back == 5, "only the blank lines behind the record may be missing"
    if len(found) == 2:
        assert "1 records skipped" in found.info.description
