"""The configuration refuses what could not run, with a sentence that names the value."""

import dataclasses
import math
from typing import Any

import pytest

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig


def test_default_is_valid_and_frozen() -> None:
    config = HybridConfig()
    assert (config.count("M"), config.count("*"), config.count("-")) == (3, 1, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.d_model = 3  # type: ignore[misc]


def test_derived_widths_follow_the_paper() -> None:
    """[z, x, B, C, dt] is 2·H·P + 2·G·N + H wide (hybrid sheet, section 1.5)."""
    config = HybridConfig(ssm_heads=6, ssm_head_dim=5, ssm_groups=3, ssm_state=7)
    assert config.d_inner == 30
    assert config.conv_channels == 30 + 2 * 3 * 7
    assert config.in_proj_width == 2 * 30 + 2 * 3 * 7 + 6


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"pattern": ""}, "pattern ''"),
        ({"pattern": "M-X"}, "pattern 'M-X'"),
        ({"d_model": 0}, "d_model is 0"),
        ({"d_ff": -8}, "d_ff is -8"),
        ({"vocab_size": 10.0}, "vocab_size is 10.0"),
        ({"chunk": True}, "chunk is True"),
        ({"n_heads": 5, "n_kv_heads": 2}, "n_kv_heads=2 does not divide"),
        ({"ssm_heads": 8, "ssm_groups": 3}, "ssm_groups=3 does not divide"),
        ({"head_dim": 7, "rope_theta": 1e4}, "head_dim is 7"),
        ({"pattern": None}, "pattern None must be"),
        ({"pattern": ["M"]}, "must be a non-empty string"),
        ({"rope_theta": math.nan}, "rope_theta is nan"),
        ({"rope_theta": -1.0}, "rope_theta is -1.0; it must be a finite number at least 0"),
        ({"norm_eps": None}, "norm_eps is None"),
        ({"init_std": math.inf}, "init_std is inf"),
        ({"time_step_min": 0.0}, "time_step_min is 0.0; it must be a finite number above 0"),
        ({"time_step_max": 1e-4}, "time_step_max is 0.0001; it must be a finite number at least 0.001"),
        ({"time_step_floor": -1e-4}, "time_step_floor is -0.0001"),
        ({"dt_min": "0"}, "dt_min is '0'"),
    ],
)
def test_bad_values_are_one_sentence(change: dict[str, Any], words: str) -> None:
    with pytest.raises(LabError, match=words) as caught:
        HybridConfig(**change)
    assert "\n" not in str(caught.value)


def test_copies_are_validated_and_know_their_fields() -> None:
    assert HybridConfig().with_(d_ff=64).d_ff == 64
    with pytest.raises(LabError, match="d_ff is 0"):
        HybridConfig().with_(d_ff=0)
    with pytest.raises(LabError, match="Unknown size of a model 'd_fff', did you mean 'd_ff'"):
        HybridConfig().with_(d_fff=64)
