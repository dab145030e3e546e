"""Recipes: what the papers say of them, and what is refused."""

import pytest

from nemo_lab.errors import LabError
from nemo_lab.precision.recipes import RECIPES, Cast, recipe


def test_nemotron_h_is_the_papers() -> None:
    r = recipe("nemotron_h")
    assert [r.cast(role).format for role in ("weight", "activation", "gradient")] == ["e4m3", "e4m3", "e5m2"]
    assert {(c.tile, c.scaling, c.power_of_two) for c in (r.weight, r.activation, r.gradient)} == {
        (None, "current", False)
    }
    assert (r.first_bf16, r.last_bf16) == (4, 4)


def test_nano_v2_is_e4m3_in_blocks() -> None:
    r = recipe("nano_v2")
    assert {c.format for c in (r.weight, r.activation, r.gradient)} == {"e4m3"}
    assert (r.weight.tile, r.activation.tile, r.gradient.tile) == ((128, 128), (1, 128), (1, 128))


def test_controls_differ_from_nemotron_h_in_nothing_but_their_scales() -> None:
    for name, scaling in (("delayed", "delayed"), ("plain", "none")):
        changes = {
            role: Cast(RECIPES["nemotron_h"].cast(role).format, scaling=scaling)
            for role in ("weight", "activation", "gradient")
        }
        assert RECIPES[name] == RECIPES["nemotron_h"].with_(name=name, **changes)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: recipe("nemotron"), "Unknown FP8 recipe 'nemotron', did you mean 'nemotron_h'"),
        (lambda: Cast("e4m2"), "Unknown FP8 format 'e4m2'"),
        (lambda: Cast(scaling="slow"), "Unknown scaling 'slow'"),
        (lambda: Cast(tile=(1, 64)), r"tile is \(1, 64\); choose"),
        (lambda: Cast(tile=(1, 128), scaling="delayed"), "knows whole tensors only"),
        (lambda: recipe("nano_v2").cast("bias"), "Unknown role 'bias'"),
        (lambda: recipe("nano_v2").with_(activation=Cast(tile=(128, 128))), "weight and activation have 128x128"),
        (lambda: recipe("nano_v2").with_(last_bf16=-1), "last_bf16 is -1"),
        (lambda: recipe("delayed").with_(history=0), "history is 0"),
    ],
)
def test_what_cannot_work_is_refused(make, sentence: str) -> None:
    with pytest.raises(LabError, match=sentence):
        make()


def test_the_ends_stay_in_bf16() -> None:
    recipe = RECIPES["nemotron_h"].with_(first_bf16=2, last_bf16=1)
    assert list(recipe.inner("abcdef")) == ["c", "d", "e"]
    assert [len(recipe.inner(range(n))) for n in range(5)] == [0, 0, 0, 0, 1]
    assert recipe.with_(first_bf16=0, last_bf16=0).inner("abc") == "abc"
