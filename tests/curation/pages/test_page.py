"""What readers yield: records that travel to worker processes as they are and cannot change on the way."""

from dataclasses import FrozenInstanceError
from multiprocessing.reduction import ForkingPickler
from typing import get_args

import pytest

from nemo_lab.curation.pages.page import Damaged, Page, Record

RECORDS = [
    Page(b"<p>\xff", "http://a/1", "a.warc#1", "text/html", "utf-8"),
    Damaged("http://a/2", "a.warc#2", "cut off"),
]


@pytest.mark.parametrize("record", RECORDS)
def test_a_record_reaches_a_worker_as_it_was(record: Record) -> None:
    assert ForkingPickler.loads(ForkingPickler.dumps(record)) == record
    with pytest.raises(FrozenInstanceError):
        record.url = "http://b"  # type: ignore[misc]


def test_a_record_is_one_of_the_two_and_both_say_where_they_come_from() -> None:
    """Reports read url and place of every record without asking which it is."""
    assert {type(record) for record in RECORDS} == set(get_args(Record))
    assert [(record.url, record.place) for record in RECORDS] == [
        ("http://a/1", "a.warc#1"),
        ("http://a/2", "a.warc#2"),
    ]
    assert Page(b"", "u", "p") == Page(b"", "u", "p", content_type="", charset="")
