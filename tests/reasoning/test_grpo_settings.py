"""Settings of GRPO: each senseless value is one sentence."""

import math
from dataclasses import replace

from nemo_lab.reasoning.grpo_settings import GRPOSettings
from tests.reasoning.refusals import one_wrong, refused

NAN = math.nan
SETTINGS = GRPOSettings(1, prompts=1, group=2, max_new_tokens=2)


@one_wrong(
    {
        "steps": [None, 0, 1.5, NAN, True],
        "prompts": [None, 0],
        "group": [None, 1],
        "peak_lr": [None, 0, NAN, "x"],
        "temperature": [None, 0, NAN],
        "kl": [None, -1, NAN],
        "clip_low": [NAN],
        "seed": [None, -1],
        "updates": [3],
        "advantage": [None, "x"],
    }
)
def test_settings_of_grpo(name: str, wrong: object) -> None:
    refused(lambda: replace(SETTINGS, **{name: wrong}), name)  # type: ignore[arg-type]
