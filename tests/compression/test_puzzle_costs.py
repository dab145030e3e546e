"""Costs: parameters and memory against the modules themselves, and the shape of what is measured."""

from itertools import pairwise

import pytest
import tiny_puzzle

from nemo_lab.compression import puzzle_costs as costs
from nemo_lab.compression.puzzle_model import PuzzleLayer
from nemo_lab.errors import LabError

DECODE, PREFILL = costs.Target("decode", 1, 8, batch=2), costs.Target("prefill", 16, 0)


@pytest.mark.parametrize(("heads", "width"), [(3, 24), (1, 12), ("linear", "linear"), (0, 24), (3, 0), (0, 0)])
def test_parameters_are_those_of_the_modules(heads, width):
    config = tiny_puzzle.parent().config
    layer = PuzzleLayer(config, heads, width, 0)
    counted = costs.parameters(config, "attention", heads) + costs.parameters(config, "ffn", width)
    assert counted == sum(weight.numel() for weight in layer.parameters())


def test_memory_is_weights_and_what_attention_keeps():
    config = tiny_puzzle.parent().config
    keeps = costs.memory_bytes(config, "attention", 3, DECODE) - 2 * costs.parameters(config, "attention", 3)
    assert keeps == 2 * (2 * 9) * 2 * 3 * 4  # bytes · tokens · keys and values · heads · head_dim
    for kind, part in (("attention", "linear"), ("attention", 0), ("ffn", 24)):
        assert costs.memory_bytes(config, kind, part, DECODE) == 2 * costs.parameters(config, kind, part)


def test_every_option_is_measured_and_tables_fit_the_search():
    config = tiny_puzzle.parent().config
    table = {
        target.name: costs.measure_parts(config, tiny_puzzle.RECIPE, target, 1, progress=False)
        for target in (DECODE, PREFILL)
    }
    for measured in table.values():
        assert set(measured["attention"]) == {"3", "1", "linear", "0"}
        assert set(measured["ffn"]) == {"24", "12", "linear", "0"}
        assert measured["attention"]["0"] == measured["ffn"]["0"] == 0
        assert measured["fixed"]["0"] > 0
    scores = [{name: {"kl": 0.1} for name in kind} for kind in (["3", "1", "linear", "0"], ["24", "12", "linear", "0"])]
    slots = costs.slots_of(scores, config, table, (DECODE, PREFILL))
    assert slots[0]["1"]["decode"] == 1e3 * table["decode"]["attention"]["1"]
    assert slots[1]["24"]["prefill memory"] == costs.memory_bytes(config, "ffn", 24, PREFILL) / 1e6
    whole = costs.predicted_ms(slots, ["1", "24"], table, DECODE)
    parts = [table["decode"]["fixed"]["0"], table["decode"]["attention"]["1"], table["decode"]["ffn"]["24"]]
    assert whole == pytest.approx(1e3 * sum(parts))


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
    scores = [{"3": {"kl": 0.0}, "1": {"kl": 1.0}}]
    with pytest.raises(LabError, match="No cost of attention 1 for 'decode'"):
        costs.slots_of(scores, config, {"decode": {"attention": {"3": 1.0}}}, [target])
    with pytest.raises(LabError, match="No cost of attention 3 for 'decode'"):
        costs.slots_of(scores, config, {}, [target])
    with pytest.raises(LabError, match="first option of attention is 1, the parent has 3"):
        costs.slots_of([{"1": {"kl": 0.0}, "3": {"kl": 1.0}}], config, {}, [target])
