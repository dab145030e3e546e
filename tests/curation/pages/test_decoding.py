"""What a document is, and what of a notebook is text."""

import json

import pytest

from nemo_lab.curation.pages.decoding import HTML, NOTEBOOK, TEXT, NotText, kind_of, notebook_text
from nemo_lab.curation.pages.page import TEXT_TYPE


@pytest.mark.parametrize(
    ("text", "declared", "kind"),
    [
        ("<!DOCTYPE html><p>x", "", HTML),
        ("Plain words", "text/html", HTML),
        ("Plain words", "", TEXT),
        ('{"cells": [], "nbformat": 4}', "text/html", NOTEBOOK),
        ("if a <b and c> d", "text/plain", TEXT),
        ('{"theme": "<p>"}', "application/x-ipynb+json", NOTEBOOK),
        ("[1, 2]", "application/x-ipynb+json", NOTEBOOK),
        ("version https://git-lfs.github.com/spec/v1", "application/x-ipynb+json", NOTEBOOK),
        ("<!DOCTYPE html><p>x", "application/x-ipynb+json", HTML),
        ("x < y", "text/plain", TEXT),
        ("<p> is how a paragraph begins", TEXT_TYPE, TEXT),
    ],
)
def test_kinds(text: str, declared: str, kind: str) -> None:
    assert kind_of(text, declared) == kind


def test_a_notebook_gives_its_cells() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title\n", "with $x$"]},
        {
            "cell_type": "code",
            "source": "def f():\n    pass",
            "outputs": [{"text": ["out\n"]}, {"data": {"text/plain": "3"}}],
        },
        {"cell_type": "code", "source": ""},
    ]
    text = notebook_text(json.dumps({"cells": cells, "nbformat": 4}))
    assert text == "# Title\nwith $x$\n\n```python\ndef f():\n    pass\n```\n\n```\nout\n```\n\n```\n3\n```"


@pytest.mark.parametrize(
    "text", ["{", "[1, 2]", "{}", '{"theme": "dark"}', '{"cells": 3}', '{"cells": [3]}', '{"cells": ' + "[" * 100_000]
)
def test_a_broken_notebook_is_refused(text: str) -> None:
    with pytest.raises(NotText, match="notebook"):
        notebook_text(text)


def test_an_old_notebook_has_worksheets() -> None:
    cell = {"cell_type": "code", "input": ["x = 1"], "outputs": []}
    assert notebook_text(json.dumps({"nbformat": 3, "worksheets": [{"cells": [cell]}]})) == "```python\nx = 1\n```"
