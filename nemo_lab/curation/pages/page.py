"""A page as it enters the pipeline, and a record that is damaged: what readers yield and extraction takes."""

from dataclasses import dataclass

TEXT_TYPE = "text/x-column"  # content type of a text that is out of its page already, whatever it looks like


@dataclass(frozen=True)
class Page:
    """A page as it was received; `place` says which record of which file it is."""

    content: bytes
    url: str
    place: str
    content_type: str = ""
    charset: str = ""


@dataclass(frozen=True)
class Damaged:
    """A record that should be a page and cannot be had, and why."""

    url: str
    place: str
    reason: str


Record = Page | Damaged
