"""Documents that quote a test: found by shared word n-grams.

The paper embeds documents and questions with Qwen2.5-32B and drops documents with a cosine above 0.9; the
released tutorial has no such step. N-grams of words are what most others use: exact, explainable (the report
shows the words) and independent of a model, but blind to paraphrase. A document is contaminated when it holds
any `n` words in a row of a test item, or the whole of an item that is shorter.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from nemo_lab.charsets import NotText, decode
from nemo_lab.errors import LabError, check_path, check_text, check_texts, check_whole

_WORD = re.compile(r"\\?\w+|[=+*/^<>-]")
_LISTS = (".txt", ".md", ".text", "")  # one item a line
N = 13  # words in a row, as GPT-3's report and many since
SHORTEST = 8  # words of an item; shorter ones ("what is 2 + 2") match by chance and are not looked for


def read_items(file: Path) -> list[str]:
    """Return the test items of a file: lines of a text file, the column `text` of jsonl or parquet.

    Raises:
        LabError: there is no such file, or nothing in it can be read.
    """
    file = check_path("file", file)
    if not file.is_file():
        raise LabError(f"There is no file {str(file)!r}; give test items, one a line, or a jsonl or parquet file.")
    from nemo_lab.corpora import compressed
    from nemo_lab.corpora.files import read_files

    if Path(compressed.bare_name(file)).suffix not in _LISTS:
        return [str(text) for text in read_files(file)["text"]]
    try:
        with compressed.opened(file) as stream:
            lines = decode(stream.read()).splitlines()
    except (*compressed.DAMAGE, NotText) as error:
        raise LabError(f"{str(file)!r} cannot be read as text ({error}); save it as UTF-8.") from error
    items = [line.strip() for line in lines if line.strip()]
    if not items:
        raise LabError(f"{str(file)!r} holds no test item; give test items, one a line, or leave the file out.")
    return items


def too_short(items: Iterable[str]) -> list[str]:
    """Return the test items of fewer than SHORTEST words, which are not looked for."""
    return [item for item in check_texts("items", items) if len(words(item)) < SHORTEST]


def words(text: str) -> list[str]:
    """Return words, control words and operators in lower case; layout and punctuation do not count."""
    return _WORD.findall(check_text("text", text).lower())


@dataclass
class TestSet:
    """Test items to keep out: their n-grams with the item each is from; `skipped` counts those too short."""

    __test__ = False  # not a test of pytest

    n: int = N
    grams: dict[tuple[str, ...], str] = field(default_factory=dict)
    lengths: set[int] = field(default_factory=set)
    skipped: int = 0

    def __post_init__(self) -> None:
        """Refuse n-grams of less than one word."""
        check_whole("n", self.n)

    @classmethod
    def of(cls, items: Iterable[str], n: int = N) -> "TestSet":
        """Return the index of these test items (question and answer in one text, or apart).

        Raises:
            LabError: one text in place of a list of them, or n-grams of less than one word.
        """
        index = cls(n)
        for item in check_texts("items", items):
            found = words(item)
            if len(found) < SHORTEST:
                index.skipped += 1
                continue
            size = min(n, len(found))
            index.lengths.add(size)
            for at in range(len(found) - size + 1):
                index.grams.setdefault(tuple(found[at : at + size]), item)
        return index

    def match(self, text: str) -> str:
        """Return the test item that the text quotes, or an empty string."""
        if not self.grams:
            return ""
        found = words(text)
        for size in sorted(self.lengths):
            for at in range(len(found) - size + 1):
                item = self.grams.get(tuple(found[at : at + size]))
                if item is not None:
                    return item
        return ""
