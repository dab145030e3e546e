"""Costs: parameters and memory against the modules themselves, and the shape of what is measured."""

from itertools import pairwise

import pytest
import tiny_puzzle

from nemo_lab.compression.puzzle import costs
from nemo_lab.compression.puzzle.library import LibraryRecipe
from nemo_lab.compression.puzzle.model import PuzzleLayer
from nemo_lab.compression.puzzle.parts import KINDS, Option
from nemo_lab.errors import LabError

DECODE, PREFILL = costs.Target("decode", 1, 8, batch=2), costs.Target("prefill", 16, 0)


@pytest.mark.parametrize(("heads", "width"), [(3, 24), (1, 12), ("linear", "linear"), (0, 24), (3, 0), (0, 0)])
def test_parameters_are_those_of_the_modules(heads, width):
    config = tiny_puzzle.parent().config
    layer = PuzzleLayer(config, heads, width, 0)
    counted = sum(costs.parameters(config, option) for option in tiny_puzzle.choice(heads, width))
    assert counted == sum(weight.numel() for weight in layer.parameters())


def test_memory_is_weights_and_what_attention_keeps():
    config = tiny_puzzle.parent().config
    own = Option("attention", 3)
    keeps = costs.memory_bytes(config, own, DECODE) - 2 * costs.parameters(config, own)
    assert keeps == 2 * (2 * 9) * 2 * 3 * 4  # bytes · tokens · keys and values · heads · head_dim
    for option in (Option("attention", "linear"), Option("attention", 0), Option("ffn", 24)):
        assert costs.memory_bytes(config, option, DECODE) == 2 * costs.parameters(config, option)


def test_every_option_is_measured_and_tables_fit_the_search():
    config = tiny_puzzle.parent().config
    table = {
        target.name: costs.measure_parts(config, tiny_puzzle.RECIPE, target, 1, progress=False)
        for target in (DECODE, PREFILL)
    }
    for measured in table.values():
        assert set(measured.seconds) == {*tiny_puzzle.RECIPE.attention, *tiny_puzzle.RECIPE.ffn}
        assert measured.seconds[Option("attention", 0)] == measured.seconds[Option("ffn", 0)] == 0
        assert measured.fixed > 0
    scores = [{option: {"kl": 0.1} for option in tiny_puzzle.RECIPE.options(kind)} for kind in KINDS]
    slots = costs.slots_of(scores, config, table, (DECODE, PREFILL))
    few, wide = tiny_puzzle.choice(1, 24)
    assert slots[0][few]["decode"] == 1e3 * table["decode"].seconds[few]
    assert slots[1][wide]["prefill memory"] == costs.memory_bytes(config, wide, PREFILL) / 1e6
    whole = costs.predicted_ms(slots, [few, wide], table, DECODE)
    measured = table["decode"]
    assert whole == pytest.approx(1e3 * (measured.fixed + measured.seconds[few] + measured.seconds[wide]))


def test_the_cost_of_an_option_is_its_own(monkeypatch):
    """Times that are those of the stacks by hand: what each adds, by the layers, and none below zero."""
    known = {"fixed": 1.0, "attention.3": 9.0, "attention.1": 5.0, "ffn.24": 0.5, "ffn.linear": 3.0}
    monkeypatch.setattr(costs, "interleaved", lambda calls, *_, **__: {name: [known[name]] for name in calls})
    recipe = LibraryRecipe.of((3, 1, 0), (24, "linear"))
    found = costs.measure_parts(tiny_puzzle.parent().config, recipe, DECODE, 1)
    three, one, none = recipe.attention
    wide, linear = recipe.ffn
    assert found == costs.OptionCosts(1.0, {none: 0, three: 2.0, one: 1.0, Option("ffn", 0): 0, wide: 0, linear: 0.5})


def test_a_decoding_call_leaves_its_context_as_it_was():
    model, lengths = tiny_puzzle.parent().bfloat16(), []
    call = costs._call(model, model.model.layers, DECODE)
    real = model.model.forward

    def spy(**given):
        lengths.append(given["past_key_values"].get_seq_length())
        return real(**given)

    model.model.forward = spy
    for _ in range(3):
        call()
    assert lengths == [8, 8, 8]
    assert all(a == b for a, b in pairwise(lengths))


@pytest.mark.parametrize(("tokens", "context", "batch"), [(0, 8, 1), (1, -1, 1), (1, 8, 0)])
def test_a_call_that_reads_nothing(tokens, context, batch):
    with pytest.raises(LabError, match="Target 'decode' has"):
        costs.Target("decode", tokens, context, batch)


def test_no_repeat_no_time():
    with pytest.raises(LabError, match="1 tasks and 0 rounds"):
        costs.measure_models({"parent": tiny_puzzle.parent().bfloat16()}, DECODE, 0, progress=False)


def test_slots_without_their_costs_or_with_another_first():
    config, target = tiny_puzzle.llama().config, costs.Target("decode", 1, 8)
    three, one = Option("attention", 3), Option("attention", 1)
    scores = [{three: {"kl": 0.0}, one: {"kl": 1.0}}]
    with pytest.raises(LabError, match=r"No cost of attention\.1 for 'decode'"):
        costs.slots_of(scores, config, {"decode": costs.OptionCosts(1.0, {three: 1.0})}, [target])
    with pytest.raises(LabError, match=r"No cost of attention\.3 for 'decode'"):
        costs.slots_of(scores, config, {}, [target])
    for first in ([one, three], [Option("ffn", 3)], []):
        with pytest.raises(LabError, match=r"first option of attention is .*, the parent has attention\.3"):
            costs.slots_of([{option: {"kl": 0.0} for option in first}], config, {}, [target])
