"""Rollouts: many answers at once, with the probability of every token as it was drawn.

    rollout = sample_responses(model, prompts, 24, end=codec.end, pad=codec.pad, group=16, generator=g)

All rows advance together through caches that are allocated once (`modeling.generation.Decoder`, or `HFDecoder`
for a causal language model of Hugging Face). A group's prompt is read once and its memory copied to every row.
Prompts are padded on the left, responses on the right. A response **includes** its end token: the policy gradient
has to reward the act of ending.

B rows, P prompts, T new tokens, V vocabulary, E end tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from nemo_lab.errors import LabError, check_callable, check_each, check_instance, check_number, check_whole
from nemo_lab.modeling.generation import Decoder
from nemo_lab.modeling.model import HybridLM

End = int | Sequence[int]
"""The token that closes a response, or several of which any does."""

Adjust = Callable[[Tensor, list[list[int]]], Tensor]
"""Changes the logits (B, V) before a token is drawn, given the new tokens of each row so far."""


class Steps(Protocol):
    """What decodes B rows together: `Decoder` and `HFDecoder`."""

    def prefill(self, tokens_PL: Tensor, lengths_P: Sequence[int] | None = None, group: int = 1) -> Tensor:
        """Reads P = B / group left-padded prompts; returns the logits after their last tokens, (B, V)."""
        ...

    def step(self, tokens_B: Tensor) -> Tensor:
        """Appends one token a row; returns the logits for the next one, (B, V)."""
        ...


@dataclass(frozen=True)
class Rollout:
    """B responses; rows g·group … g·group + group − 1 answer prompt g.

    Attributes:
        prompts: B prompts, each repeated `group` times.
        tokens_BT: responses, padded on the right. lengths_B: their tokens, the end token included.
        logprobs_BT: log-probability of each token when it was drawn (nats, at the temperature); 0 at padding.
        ended_B: whether the row drew its end token. entropy: mean entropy of the distributions drawn from (nats).
    """

    prompts: list[list[int]]
    tokens_BT: Tensor
    lengths_B: Tensor
    logprobs_BT: Tensor
    ended_B: Tensor
    entropy: float

    def responses(self) -> list[list[int]]:
        """The new tokens of each row without padding."""
        return [row[:n] for row, n in zip(self.tokens_BT.tolist(), self.lengths_B.tolist(), strict=True)]


def decoder_of(model: Any, batch: int, max_length: int) -> Steps:
    """What decodes for this model: ours for a `HybridLM`, else Hugging Face's forward pass with its cache."""
    return Decoder(model, batch, max_length) if isinstance(model, HybridLM) else HFDecoder(model)


@torch.inference_mode()
def sample_responses(
    model: Any,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    end: End,
    pad: int,
    group: int = 1,
    temperature: float = 1.0,
    generator: torch.Generator | None = None,
    adjust: Adjust | None = None,
) -> Rollout:
    """Draws `group` responses to every prompt; at temperature 0 the likeliest token is taken.

    Args:
        model: a `HybridLM` or a causal language model of Hugging Face.
        end: the token that closes a response, or several. pad: what fills the rows behind it; none of them.
        generator: makes the draw reproducible. adjust: changes logits before each draw, for example to ban words.

    Raises:
        LabError: no model, no prompt or an empty one, tokens that the model does not know, a number out of range,
            `pad` among the ends, or more tokens than the model has positions.
    """
    _check_numbers(max_new_tokens, group, temperature)
    ends = end_tokens(end, pad)
    _check_model(model, generator, adjust)
    _check_prompts(model, prompts, {*ends, pad})
    _check_positions(model, max(map(len, prompts)), max_new_tokens)
    rows = [list(prompt) for prompt in prompts for _ in range(group)]
    longest = max(map(len, rows))
    tokens_PL = torch.tensor([[pad] * (longest - len(row)) + row for row in rows[::group]], device=_device(model))
    decoder = decoder_of(model, len(rows), longest + max_new_tokens)
    draw = _Draws(len(rows), max_new_tokens, ends, pad, temperature, generator, adjust)
    logits_BV = decoder.prefill(tokens_PL, [len(prompt) for prompt in prompts], group)
    while draw.add(logits_BV):
        logits_BV = decoder.step(draw.last_B)
    return draw.rollout(rows)


class _Draws:
    """The rows drawn so far."""

    def __init__(
        self,
        B: int,
        T: int,
        ends: tuple[int, ...],
        pad: int,
        temperature: float,
        generator: torch.Generator | None,
        adjust: Adjust | None,
    ) -> None:
        self.ends_E, self.pad, self.temperature = torch.tensor(ends), pad, temperature
        self.generator, self.adjust = generator, adjust
        self.tokens_BT = torch.full((B, T), pad)
        self.logprobs_BT = torch.zeros(B, T)
        self.running_B = torch.ones(B, dtype=torch.bool)
        self.lengths_B = torch.zeros(B, dtype=torch.long)
        self.entropy, self.count = 0.0, 0

    def add(self, logits_BV: Tensor) -> bool:
        """Draws one token a row; returns whether another one is wanted."""
        if self.adjust is not None:
            so_far = [row[:n] for row, n in zip(self.tokens_BT.tolist(), self.lengths_B.tolist(), strict=True)]
            logits_BV = self.adjust(logits_BV, so_far)
        scaled_BV = logits_BV / self.temperature if self.temperature else logits_BV
        logp_BV = torch.log_softmax(scaled_BV.float(), -1)
        token_B = draw_tokens(logp_BV, self.generator) if self.temperature else logp_BV.argmax(-1)
        self._keep(token_B, logp_BV)
        self.last_B = token_B
        return bool(self.running_B.any()) and self.count < self.tokens_BT.shape[1]

    def _keep(self, token_B: Tensor, logp_BV: Tensor) -> None:
        running, t = self.running_B, self.count
        chosen_B = logp_BV.gather(1, token_B[:, None]).squeeze(1)
        entropy_B = -(logp_BV.exp() * logp_BV.clamp(min=-100)).sum(-1)
        token_B, chosen_B, entropy_B = (x.cpu() for x in (token_B, chosen_B, entropy_B))
        self.tokens_BT[:, t] = torch.where(running, token_B, self.pad)
        self.logprobs_BT[:, t] = torch.where(running, chosen_B, 0.0)
        self.entropy += float(entropy_B[running].sum())
        self.lengths_B += running
        self.running_B = running & ~torch.isin(token_B, self.ends_E)
        self.count += 1

    def rollout(self, rows: list[list[int]]) -> Rollout:
        """All that was drawn; columns that no row reached are dropped."""
        kept = slice(0, self.count)
        mean = self.entropy / max(int(self.lengths_B.sum()), 1)
        return Rollout(rows, self.tokens_BT[:, kept], self.lengths_B, self.logprobs_BT[:, kept], ~self.running_B, mean)


def draw_tokens(logp_BV: Tensor, generator: torch.Generator | None) -> Tensor:
    """One token a row from log-probabilities, by Gumbel's trick: argmax(log p + g), g = −log(−log u)."""
    uniform_BV = torch.rand(logp_BV.shape, generator=generator, device=logp_BV.device)
    gumbel_BV = uniform_BV.clamp_(min=1e-20).log_().neg_().clamp_(min=1e-20).log_().neg_()
    return (logp_BV + gumbel_BV).argmax(-1)


class HFDecoder:
    """Steps a causal language model of Hugging Face with its key-value cache; left padding is masked."""

    def __init__(self, model: Any) -> None:
        self.model = model

    def _read(self, tokens_PL: Tensor, lengths_P: Tensor) -> Tensor:
        L = tokens_PL.shape[1]
        self.mask_BL = (torch.arange(L, device=tokens_PL.device) >= L - lengths_P[:, None]).long()
        self.position_B1 = lengths_P[:, None] - 1
        position_PL = (self.mask_BL.cumsum(-1) - 1).clamp(min=0)
        out = self.model(
            tokens_PL, attention_mask=self.mask_BL, position_ids=position_PL, use_cache=True, logits_to_keep=1
        )
        self.cache: Any = out.past_key_values
        return out.logits[:, -1]  # type: ignore[no-any-return]

    def prefill(self, tokens_PL: Tensor, lengths_P: Sequence[int] | None = None, group: int = 1) -> Tensor:
        """Reads the prompts, padded on the left, each for `group` rows; returns the logits of all rows, (B, V)."""
        P, L = tokens_PL.shape
        lengths = torch.tensor([L] * P if lengths_P is None else list(lengths_P), device=tokens_PL.device)
        prompt_B = torch.arange(P, device=tokens_PL.device).repeat_interleave(group)
        logits_PV = self._read(tokens_PL, lengths)
        if group == 1:
            return logits_PV
        if not hasattr(self.cache, "reorder_cache"):  # not transformers' own; what it holds is unknown
            return self._read(tokens_PL[prompt_B], lengths[prompt_B])
        self.cache.reorder_cache(prompt_B)
        self.mask_BL, self.position_B1 = self.mask_BL[prompt_B], self.position_B1[prompt_B]
        return logits_PV[prompt_B]

    def step(self, tokens_B: Tensor) -> Tensor:
        """Appends one token to every row; returns the logits for the next one, (B, V)."""
        self.mask_BL = torch.cat([self.mask_BL, torch.ones_like(self.mask_BL[:, :1])], 1)
        self.position_B1 = self.position_B1 + 1
        out = self.model(
            tokens_B[:, None],
            attention_mask=self.mask_BL,
            position_ids=self.position_B1,
            use_cache=True,
            past_key_values=self.cache,
        )
        self.cache = out.past_key_values
        return out.logits[:, -1]  # type: ignore[no-any-return]


def text_config(model: Any) -> Any:
    """The configuration of what reads text: models that also see, such as Gemma 3, have it inside another."""
    config = getattr(model, "config", None)
    return config.get_text_config() if config is not None and hasattr(config, "get_text_config") else config


def _device(model: Any) -> torch.device:
    device: torch.device = next(model.parameters()).device
    return device


def end_tokens(end: End, pad: int) -> tuple[int, ...]:
    """The ids of the end tokens, each once; a model's `generation_config.eos_token_id` has one of the forms of `end`.

    Raises:
        LabError: no end token, one that is no token's id, or `pad` among them.
    """
    many = isinstance(end, Sequence) and not isinstance(end, str | bytes) and len(end)
    ends: tuple[Any, ...] = tuple(dict.fromkeys(end)) if many else (end,)  # type: ignore[arg-type]
    for name, token in (*(("end", one) for one in ends), ("pad", pad)):
        if type(token) is not int or token < 0:
            raise LabError(f"{name} is {token!r}; it must be the id of a token, a whole number.")
    if pad in ends:
        raise LabError(f"end and pad are both token {pad}; give another pad, or the end is never learned.")
    return ends


def _check_numbers(max_new_tokens: int, group: int, temperature: float) -> None:
    check_whole("max_new_tokens", max_new_tokens, 1)
    check_whole("group", group, 1)
    check_number("temperature", temperature, least=0)


def _check_model(model: Any, generator: object, adjust: object) -> None:
    if not callable(getattr(model, "parameters", None)):
        raise LabError(f"The model is of type {type(model).__name__}; give the model of a policy, policy.model.")
    if generator is not None:
        check_instance("generator", generator, torch.Generator, "give torch.Generator().manual_seed(...)")
    if adjust is not None:
        check_callable("adjust", adjust, "give a function of logits and new tokens, such as `ban_switches` makes")


def _check_prompts(model: Any, prompts: Sequence[Sequence[int]], special: set[int]) -> None:
    """Every prompt has a token, and the model knows all of them."""
    check_each("prompts", prompts, Sequence, some=True)
    if not all(map(len, prompts)):
        raise LabError("Every rollout needs a prompt of at least one token; give an opening token.")
    tokens = {token for prompt in prompts for token in prompt} | special
    if strange := [token for token in tokens if type(token) is not int]:
        raise LabError(f"A prompt has {strange[0]!r} for a token; encode texts first, with policy.encode(text).")
    known = getattr(text_config(model), "vocab_size", max(tokens) + 1)
    if min(tokens) < 0 or max(tokens) >= known:
        wrong = min(tokens) if min(tokens) < 0 else max(tokens)
        raise LabError(f"Token {wrong} is asked for, but the model has {known}, from 0; use the model's own codec.")


def _check_positions(model: Any, longest: int, max_new_tokens: int) -> None:
    """A model of Hugging Face says how many positions it has; beyond them it fails, or writes what means nothing."""
    most = getattr(text_config(model), "max_position_embeddings", None)
    if isinstance(most, int) and longest + max_new_tokens > most:
        raise LabError(
            f"A prompt of {longest} tokens and max_new_tokens={max_new_tokens} are more than the model's {most} "
            f"positions; shorten prompts, or ask for at most {max(0, most - longest)} new tokens."
        )
