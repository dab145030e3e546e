"""JSON values by line, in arrays and over several lines; what is broken is told with its place."""

import io
import json

import pytest

from nemo_lab.corpora.json_values import lines, values

ROWS = [{"text": "one"}, {"text": "zwei ä “”"}, {"text": "three, [x] {y}"}]


def read(content: bytes, limit: int = 1 << 20):
    skipped: list[tuple[str, str]] = []
    stream = io.BufferedReader(io.BytesIO(content))
    return list(values(stream, "f", lambda *told: skipped.append(told), limit)), skipped


LAYOUTS = {
    "lines": "\n".join(map(json.dumps, ROWS)),
    "lines of Windows": "\r\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS) + "\r\n",
    "array on a line": json.dumps(ROWS),
    "array over lines": json.dumps(ROWS, indent=2, ensure_ascii=False),
    "array of lines": "[\n" + ",\n".join(map(json.dumps, ROWS)) + "\n]\n",
    "objects over lines": "\n".join(json.dumps(row, indent=2) for row in ROWS),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_every_layout_gives_the_values(layout, encoding):
    found, skipped = read(LAYOUTS[layout].encode(encoding))
    assert [value for _, value in found] == ROWS
    assert [spot for spot, _ in found] == ["f:1", "f:2", "f:3"]
    assert not skipped


def test_one_object_over_lines():
    assert read(json.dumps({"data": ROWS}, indent=1).encode())[0] == [("f:1", {"data": ROWS})]


def test_a_broken_line_costs_one_record():
    found, skipped = read(b'{"a": 1}\n{broken\n\n"caf\xe9"\n' + b"[" * 100_000 + b'\n{"a": 2}\n')
    assert [value for _, value in found] == [{"a": 1}, {"a": 2}]
    assert skipped == [("f:2", "not JSON"), ("f:4", "not UTF-8, as JSON has to be"), ("f:5", "not JSON")]


@pytest.mark.parametrize("end", ['{"text": "cut', "oops]", "{", "[" * 100_000])
def test_a_broken_array_tells_where_reading_ended(end):
    found, skipped = read(('[{"text": "one"},\n{"text": "two"},\n' + end).encode())
    assert [value["text"] for _, value in found] == ["one", "two"]
    assert skipped == [] if end[0] == "[" else [("f value 3", "no JSON from here on")]


def test_long_values_are_not_held():
    rows = [{"text": "x" * 5000}, {"text": "short"}]
    found, skipped = read("\n".join(map(json.dumps, rows)).encode(), 1000)
    assert found == [("f:2", {"text": "short"})]
    assert skipped == [("f:1", "longer than 1,000 bytes")]
    found, skipped = read(b"[\n" + b" " * 10 + b'{"text": "' + b"x" * 3_000_000, 1000)
    assert not found
    assert "or longer than 1,000 bytes" in skipped[0][1]


def test_many_values_of_an_array_take_linear_time():
    found, _ = read(json.dumps([{"text": str(number)} for number in range(100_000)]).encode())
    assert len(found) == 100_000


def test_lines_have_numbers():
    assert list(lines(io.BytesIO(b"a\nb"), "f", print, 10)) == [("f:1", b"a\n"), ("f:2", b"b")]
