"""The programme as arrays, by hand on two slots, and the solver's own lines kept out of the output."""

import os

import numpy as np

from nemo_lab.compression.puzzle import programme
from nemo_lab.compression.puzzle.parts import Option

WIDE, HALF, HEADS = Option("ffn", 24), Option("ffn", 12), Option("attention", 3)
SLOTS = [{HEADS: {"kl": 0.5, "ms": 4.0}}, {WIDE: {"kl": 0.0, "ms": 3.0}, HALF: {"kl": 0.25, "ms": 1.0}}]


def test_rows_of_the_programme():
    assert programme.column(SLOTS, "ms").tolist() == [4.0, 3.0, 1.0]
    assert programme.indicator(SLOTS, [HEADS, HALF]).tolist() == [1.0, 0.0, 1.0]
    assert programme.one_a_slot(SLOTS).A.toarray().tolist() == [[1.0, 0.0, 0.0], [0.0, 1.0, 1.0]]
    assert programme.row(np.array([1.0, 2.0])).toarray().tolist() == [[1.0, 2.0]]


def test_the_answer_is_read_slot_by_slot():
    assert programme.chosen(SLOTS, np.array([1.0, 0.0, 1.0])) == [HEADS, HALF]
    found_X = programme.minimise(programme.column(SLOTS, "kl"), [programme.one_a_slot(SLOTS)])
    assert programme.chosen(SLOTS, found_X) == [HEADS, WIDE]


def test_what_the_solver_prints_stays_out_of_the_output_and_ours_does_not(capfd):
    with programme.silenced():
        os.write(1, b"from C")
    print("from us")
    assert capfd.readouterr().out == "from us\n"
