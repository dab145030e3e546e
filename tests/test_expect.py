"""Checks of arguments: what is meant passes, and a sentence names value and bounds."""

import numpy as np
import torch

from nemo_lab import expect
from nemo_lab.reasoning.questions.items import Item
from tests.reasoning.refusals import refused

SUM = Item("sum", "1+1", "2")


def test_what_is_meant_is_let_through() -> None:
    expect.whole("n", np.int64(3))
    expect.number("x", np.float64(0.5), 0, 1)
    expect.number("x", 0)
    expect.each("items", (), Item)
    expect.instance("generator", torch.Generator(), torch.Generator, "give one")


def test_a_sentence_names_value_and_bounds() -> None:
    refused(
        lambda: expect.number("share", 0.0, 0, 1, above=True),
        r"^share is 0.0; expected a number above 0 and at most 1.$",
    )
    refused(lambda: expect.whole("n", 2, 3), r"^n is 2; expected a whole number of at least 3.$")
    refused(lambda: expect.each("items", [SUM, 1], Item), r"^items\[1\] is 1; expected the type Item.$")
    refused(lambda: expect.instance("model", "x" * 500, int, "give a model"), r"x\.\.\. of type str; give a model.$")
