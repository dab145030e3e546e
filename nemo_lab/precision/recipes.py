"""FP8 recipes: for each of the three tensors of a matrix product, its format and its scales. One frozen object.

nemotron_h   E4M3 forward, E5M2 gradients, one scale for a tensor, taken from the tensor itself ("current
             scaling"); the first and last four matrix products in BF16 (Nemotron-H, arXiv 2504.03624, sections
             1 and 2.3, whose text says "layers" once and "GEMMs" once; NVIDIA's code keeps two blocks of two
             products at each end, which is the latter)
nano_v2      E4M3 everywhere, weights in blocks of 128x128, activations and gradients in tiles of 1x128 along
             the dimension that is summed over (Nemotron Nano 2, and DeepSeek-V3 before it); scales are powers
             of two, as Transformer Engine has it by default
delayed      a control: nemotron_h with scales from the largest value of earlier steps, which costs one pass
             over the tensor less. (Megatron-LM does not combine it with BF16 ends; here it does, so that
             the scales alone differ.)
plain        a control: nemotron_h without scales, a bare cast
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from nemo_lab.errors import LabError, one_of
from nemo_lab.precision.formats import FORMATS

T = TypeVar("T")
Tile = tuple[int, int]
TILES: tuple[Tile | None, ...] = (None, (1, 128), (128, 128))
SCALINGS = ("current", "delayed", "none")
ROLES = ("weight", "activation", "gradient")


@dataclass(frozen=True)
class Cast:
    """How one tensor becomes FP8.

    Attributes:
        format: "e4m3" or "e5m2".
        tile: what shares a scale: None for the whole tensor, (1, 128) or (128, 128).
        power_of_two: whether scales are rounded down to powers of two.
        scaling: "current" from the tensor itself, "delayed" from earlier steps, "none" for scale 1.
    """

    format: str = "e4m3"
    tile: Tile | None = None
    power_of_two: bool = False
    scaling: str = "current"

    def __post_init__(self) -> None:
        for kind, value, known in (("FP8 format", self.format, list(FORMATS)), ("scaling", self.scaling, SCALINGS)):
            if value not in known:
                raise LabError(one_of(kind, value, known))
        if self.tile not in TILES:
            raise LabError(f"tile is {self.tile}; choose None (the whole tensor), (1, 128) or (128, 128).")
        if self.tile and self.scaling != "current":
            raise LabError(f"scaling {self.scaling!r} knows whole tensors only; choose tile=None, not {self.tile}.")


@dataclass(frozen=True)
class Fp8Recipe:
    """A cast for weights, activations and gradients, and how many matrix products stay in BF16 at either end."""

    name: str
    weight: Cast
    activation: Cast
    gradient: Cast
    first_bf16: int = 4
    last_bf16: int = 4
    history: int = 1024  # steps that delayed scaling looks back

    def __post_init__(self) -> None:
        for role in ROLES:
            if not isinstance(getattr(self, role), Cast):
                raise LabError(f"{role} is {getattr(self, role)!r}; it must be a Cast, such as Cast('e4m3').")
        for name, least in (("first_bf16", 0), ("last_bf16", 0), ("history", 1)):
            value = getattr(self, name)
            if type(value) is not int or value < least:
                raise LabError(f"{name} is {value!r}; it must be a whole number of at least {least}.")
        squares = [role for role in ROLES if self.cast(role).tile == (128, 128)]
        if len(squares) > 1:  # no GEMM takes two, and any two of the three meet in one
            raise LabError(f"{' and '.join(squares)} have 128x128 blocks; one of three may, the others need 1x128.")

    def cast(self, role: str) -> Cast:
        """The cast of "weight", "activation" or "gradient"."""
        if role not in ROLES:
            raise LabError(one_of("role", role, ROLES))
        found: Cast = getattr(self, role)
        return found

    def inner(self, products: Sequence[T]) -> Sequence[T]:
        """Those of a network's matrix products, in order, that do not stay in BF16; may be none."""
        return products[self.first_bf16 : max(0, len(products) - self.last_bf16)]

    def with_(self, **changes: object) -> Fp8Recipe:
        """A copy with other values; validated like a new one."""
        return replace(self, **changes)  # type: ignore[arg-type]


def _per_tensor(name: str, scaling: str) -> Fp8Recipe:
    forward = Cast("e4m3", scaling=scaling)
    return Fp8Recipe(name, weight=forward, activation=forward, gradient=Cast("e5m2", scaling=scaling))


_TILED = Cast("e4m3", tile=(1, 128), power_of_two=True)
RECIPES: Mapping[str, Fp8Recipe] = {
    "nemotron_h": _per_tensor("nemotron_h", "current"),
    "nano_v2": Fp8Recipe("nano_v2", replace(_TILED, tile=(128, 128)), activation=_TILED, gradient=_TILED),
    "delayed": _per_tensor("delayed", "delayed"),
    "plain": _per_tensor("plain", "none"),
}


def recipe(name: str) -> Fp8Recipe:
    """The recipe of a name; LabError lists the known ones."""
    if name not in list(RECIPES):  # a list has no hash
        raise LabError(one_of("FP8 recipe", name, list(RECIPES)))
    return RECIPES[name]
