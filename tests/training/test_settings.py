"""A setting that cannot work, or does not exist, is one sentence that says so."""

import dataclasses
import json

import pytest

from nemo_lab.training import TrainingError, TrainSettings, settings_from

GOOD = {"steps": 10, "batch_size": 4, "peak_lr": 1e-3}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("steps", 0),
        ("steps", 2.5),
        ("batch_size", True),
        ("peak_lr", 0.0),
        ("peak_lr", float("nan")),
        ("peak_lr", "fast"),
        ("clip", -1),
        ("min_lr_ratio", 1.5),
        ("decay_fraction", -0.1),
        ("betas", (0.9, 1.0)),
        ("betas", (0.9,)),
        ("schedule", "cosin"),
        ("decay_shape", "sqrt"),
        ("precision", "fp16"),
        ("warmup_steps", 11),
        ("accumulate", 3),
        ("checkpoint_every", -1),
    ],
)
def test_bad_values_are_named(name, value):
    with pytest.raises(TrainingError, match=f"^{name}=.* must be .*\\.$"):
        TrainSettings(**GOOD | {name: value})


def test_unknown_and_missing_settings_are_named():
    with pytest.raises(TrainingError, match=r"'peak_rl', did you mean 'peak_lr'"):
        settings_from(GOOD | {"peak_rl": 1})
    with pytest.raises(TrainingError, match="lack steps, peak_lr"):
        settings_from({"batch_size": 4})


def test_settings_survive_json():
    settings = TrainSettings(**GOOD, betas=(0.8, 0.9))
    assert settings_from(json.loads(json.dumps(dataclasses.asdict(settings)))) == settings
