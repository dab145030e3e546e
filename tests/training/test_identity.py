"""Identity: what differs has another fingerprint, what is the same has the same, and what cannot be told is refused."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from tiny_lm import TinyConfig, TinyLM
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from nemo_lab.studies.hybrid_architecture.recall import RecallTask, recall_source
from nemo_lab.training import TrainingError, with_fingerprint
from nemo_lab.training.identity import fingerprint, fingerprint_of, identity_of, weights_fingerprint


@dataclass(frozen=True)
class Thing:
    name: str
    parts: tuple = ()


DIFFERENT = [
    1,
    "1",
    [1, 2],
    [2, 1],
    Thing("a"),
    Thing("a", (Thing("b"),)),
    Thing("a", (Thing("c"),)),
    np.arange(4),
    np.arange(4).reshape(2, 2),
    np.arange(4, dtype=np.float32),
    torch.ones(4),
    2 * torch.ones(4),
    torch.ones(4, dtype=torch.bfloat16),
    torch.ones(()),
    {"a": torch.zeros(2)},
    {"b": torch.zeros(2)},
    np.float64(0.5),
    with_fingerprint(len, "a"),
    with_fingerprint(len, "b"),
]


def test_what_differs_has_another_fingerprint_and_what_does_not_the_same():
    found = [fingerprint(value) for value in DIFFERENT]
    assert len(set(found)) == len(found)
    assert found == [fingerprint(value) for value in DIFFERENT]
    assert fingerprint(Thing("a", (1, np.arange(3)))) == fingerprint(Thing("a", (1, np.arange(3))))


@pytest.mark.parametrize(
    "value", [len, object(), {(1, 2): 3}, np.array([len], dtype=object)], ids=lambda value: type(value).__name__
)
def test_what_has_no_fingerprint_is_refused_in_a_sentence(value):
    with pytest.raises(TrainingError, match="A fingerprint takes plain values"):
        fingerprint(1, [value])


def test_a_function_with_a_fingerprint_is_the_function():
    add = with_fingerprint(lambda a, b=1: a + b, "add", 1)
    assert (add(2), add(2, b=5)) == (3, 7)
    assert fingerprint_of(add, "sums") == fingerprint("add", 1)
    with pytest.raises(TrainingError, match=r"sums come from a function without a fingerprint.*with_fingerprint"):
        fingerprint_of(add.function, "sums")


def test_values_are_looked_at_when_the_fingerprint_is_asked_for():
    """So that a source without one still trains where there is no folder."""
    strange = with_fingerprint(len, object())
    assert strange([1]) == 1
    with pytest.raises(TrainingError, match="object is none"):
        _ = strange.fingerprint


def test_recall_is_known_by_task_size_and_seed():
    sources = [
        recall_source(RecallTask(2), 4, 0),
        recall_source(RecallTask(3), 4, 0),
        recall_source(RecallTask(2), 4, 1),
    ]
    assert len({source.fingerprint for source in sources}) == 3
    assert recall_source(RecallTask(2), 4, 0).fingerprint == sources[0].fingerprint


@pytest.mark.parametrize("place", ["head.weight", "blocks.1.norm.weight"])
def test_one_changed_weight_is_noticed(place):
    model = TinyLM()
    before = weights_fingerprint(model)
    assert before == weights_fingerprint(TinyLM())
    with torch.no_grad():
        model.get_parameter(place).mul_(2)
    assert weights_fingerprint(model) != before


class Told(nn.Linear):
    def identity(self):
        return {"said": "so"}


def test_the_parts_say_what_they_are_and_submodules_of_that_name_are_not_asked():
    model = TinyLM(TinyConfig(width=8))
    model.blocks[1].linear = Told(16, 8)
    model.identity = nn.Identity()
    found = identity_of(model)
    assert found["parts"] == {"blocks.1.linear": {"said": "so"}}
    assert found["config"] == {"width": 8, "dropout": 0.0}
    assert identity_of(Told(2, 2))["parts"] == {"itself": {"said": "so"}}
    model.head.requires_grad_(False)
    assert found["trained"] - identity_of(model)["trained"] == model.head.weight.numel()


def test_a_configuration_of_hugging_face_is_plain_and_knows_no_folder():
    config = LlamaConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=0, num_attention_heads=2)
    model = LlamaForCausalLM(config).bfloat16()
    model.config.dtype, model.config._name_or_path = torch.bfloat16, "somewhere"
    found = identity_of(model)["config"]
    assert json.loads(json.dumps(found))["dtype"] == "bfloat16"
    assert found["hidden_size"] == 8
    assert "_name_or_path" not in found
