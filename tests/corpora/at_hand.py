"""Skips a test where a corpus cannot be had."""

import pytest

from nemo_lab.corpora import store
from nemo_lab.corpora.packages.clients import PackageError


def at_hand(name: str) -> None:
    """Skip the test where the corpus cannot be had, with the sentence that says why."""
    try:
        store.corpus_folder(name)
    except PackageError as error:
        pytest.skip(str(error))
