r"""Formal mathematics: statements and comments of Metamath's set.mm.

A Metamath database is a sequence of tokens: `$( comment $)`, scopes `${ … $}`, hypotheses
`label $e formula $.`, axioms and definitions `label $a formula $.` and theorems
`label $p formula $= proof $.` (Metamath book, section 4.1). Each axiom and theorem becomes a short text: its
label, the comment before it, and the formula with the hypotheses in scope. Proofs are left out: compressed,
they are noise to a reader. Notes on who contributed what and when, which end nearly every comment, are left
out as well.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nemo_lab.corpora.packages.archives import members

_TOKEN = re.compile(
    r"\$\((?P<comment>.*?)\$\)|(?P<open>\$\{)|(?P<close>\$\})"
    r"|(?P<label>[\w.-]+)\s+\$(?P<kind>[eap])\s+(?P<formula>.*?)\$(?:=.*?\$)?\.",
    re.DOTALL,
)
_CREDIT = re.compile(
    r"\(\s*(?:Contributed|Revised|Proof\s+shortened|Proof\s+modification|New\s+usage|Shortened)\b[^()]*(?:\([^()]*\)[^()]*)*\)"
)


def set_mm(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield (label, text) of every axiom, definition and theorem of set.mm that has a comment."""
    for _, content in members(archives[0], "*/set.mm"):
        yield from statements(content.decode("ascii", "replace"))


def statements(source: str) -> Iterator[tuple[str, str]]:
    """Yield (label, text) of the commented statements of a Metamath database."""
    scopes: list[list[str]] = [[]]
    comment = ""
    for token in _TOKEN.finditer(source):
        formula = " ".join((token["formula"] or "").split())
        if token["comment"] is not None:
            comment = " ".join(_CREDIT.sub("", token["comment"]).split())
        elif token["open"]:
            scopes.append([])
        elif token["close"]:
            del scopes[max(1, len(scopes) - 1) :]
        elif token["kind"] == "e":
            scopes[-1].append(formula)
        else:
            if comment and formula.startswith("|-"):
                yield token["label"], _told(token["label"], comment, [f for s in scopes for f in s], formula)
            comment = ""


def _told(label: str, comment: str, hypotheses: list[str], formula: str) -> str:
    given = "".join(f"\n  {hypothesis}" for hypothesis in hypotheses)
    arrow = "=> " if hypotheses else ""
    return f"{label}. {comment}{given}\n  {arrow}{formula}"
