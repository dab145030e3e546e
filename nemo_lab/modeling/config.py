"""The shape of a hybrid language model, in one frozen record.

A layer is one residual block of one kind, written as one letter: `M` Mamba-2, `*` self-attention,
`-` feed-forward (Nemotron-H, arXiv 2504.03624, section 2.1). There is no composite block, so the
pattern string *is* the architecture. The symbols are those of the Mamba-2 paper:

    B batch   L length   V vocabulary   D d_model   F d_ff
    H ssm_heads   P ssm_head_dim   G ssm_groups   N ssm_state   Q chunk   C channels of the convolution

Functions and tensors carry them as suffixes: `x_BLHP` has batch, length, heads, head dimension.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from nemo_lab.errors import LabError, check_number, one_of

LAYER_KINDS = {"M": "Mamba-2", "*": "attention", "-": "FFN"}


@dataclass(frozen=True)
class HybridConfig:
    """Sizes of a hybrid model; the defaults are a model that trains in seconds on two cores.

    Raises:
        LabError: a letter that is no layer, a size below one, sizes that do not divide, a number out of its range.
    """

    pattern: str = "M-M*-M-"
    vocab_size: int = 4096
    d_model: int = 128
    d_ff: int = 512
    n_heads: int = 4
    n_kv_heads: int = 2
    head_dim: int = 32
    ssm_heads: int = 8
    ssm_head_dim: int = 32
    ssm_state: int = 32
    ssm_groups: int = 2
    conv_width: int = 4
    chunk: int = 64
    rope_theta: float = 0.0  # 0: attention without positions, as in all Nemotron hybrids
    norm_eps: float = 1e-5
    init_std: float = 0.02
    time_step_min: float = 1e-3
    time_step_max: float = 1e-1
    time_step_floor: float = 1e-4
    dt_min: float = 0.0  # lower clamp of dt; Hugging Face's nemotron_h clamps at its time_step_min

    def __post_init__(self) -> None:
        if not isinstance(self.pattern, str) or not self.pattern or set(self.pattern) - set(LAYER_KINDS):
            raise LabError(f"pattern {self.pattern!r} must be a non-empty string of the letters M, * and -.")
        for field in fields(self):
            value = getattr(self, field.name)
            if field.type == "int" and (type(value) is not int or value < 1):
                raise LabError(f"{field.name} is {value!r}; it must be a whole number of at least 1.")
        self._must_divide("n_heads", "n_kv_heads")
        self._must_divide("ssm_heads", "ssm_groups")
        self._check_numbers()
        if self.rope_theta and self.head_dim % 2:
            raise LabError(f"head_dim is {self.head_dim}; rotary positions need an even number.")

    def _check_numbers(self) -> None:
        """Rates, scales and step sizes: finite, and of the sign that the model's formulas need."""
        for name in ("rope_theta", "norm_eps", "init_std", "time_step_floor", "dt_min"):
            check_number(name, getattr(self, name), least=0)
        check_number("time_step_min", self.time_step_min, above=0)
        check_number("time_step_max", self.time_step_max, least=self.time_step_min)

    def _must_divide(self, whole: str, part: str) -> None:
        if getattr(self, whole) % getattr(self, part):
            raise LabError(
                f"{whole} is {getattr(self, whole)}, which {part}={getattr(self, part)} does not divide; "
                f"choose a multiple."
            )

    @property
    def d_inner(self) -> int:
        """Channels inside a Mamba-2 layer, H·P."""
        return self.ssm_heads * self.ssm_head_dim

    @property
    def conv_channels(self) -> int:
        """Channels of the short convolution, which runs over [x, B, C]: H·P + 2·G·N."""
        return self.d_inner + 2 * self.ssm_groups * self.ssm_state

    @property
    def in_proj_width(self) -> int:
        """Outputs of a Mamba-2 layer's input projection, [z, x, B, C, dt]: 2·H·P + 2·G·N + H."""
        return self.d_inner + self.conv_channels + self.ssm_heads

    def count(self, kind: str) -> int:
        """Number of layers of one kind (`M`, `*` or `-`)."""
        return self.pattern.count(kind)

    def with_(self, **changes: object) -> HybridConfig:
        """A copy with other values; validated like a new one, and refused when a name is no field's."""
        known = [field.name for field in fields(self)]
        unknown = [name for name in changes if name not in known]
        if unknown:
            raise LabError(one_of("size of a model", unknown[0], known))
        return replace(self, **changes)  # type: ignore[arg-type]
