"""Text from a model: batched sampling with prompts of different lengths.

    new = generate(model, [[5, 8, 2], [7]], 32, temperature=0.8, top_p=0.95, eos=0, generator=g)

Prompts are padded on the left, so that all rows append at the same column. The padding is a document of its
own, which the chunked scan, the convolution and attention already know not to look across; a row's result is
therefore the one it would have alone, up to the order of floating-point sums. Rows that have ended keep being
stepped until all have, and their tokens are dropped.

An ended row **includes** its eos token or stop sequence. A caller can cut it off, but could not tell
otherwise whether the row ended or ran out of tokens, and a policy gradient has to reward the act of ending.

Left out: beams, penalties, top-k. Sources: nucleus sampling is Holtzman et al. 2019, arXiv 1904.09751.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from numbers import Integral

import torch
from torch import Tensor

from nemo_lab.errors import LabError, check_number, check_whole
from nemo_lab.modeling.cache import AttentionCache, MambaCache, make_caches
from nemo_lab.modeling.decode import Place, Residual, Step, packed_linear, rotation, step_of
from nemo_lab.modeling.model import HybridLM


def generate(
    model: HybridLM,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    *,
    temperature: float = 0.0,
    top_p: float = 1.0,
    stop: Sequence[Sequence[int]] = (),
    eos: int | None = None,
    generator: torch.Generator | None = None,
    dtype: torch.dtype | None = None,
    on_token: Callable[[int, int], object] | None = None,
) -> list[list[int]]:
    """Continues every prompt; returns the new tokens of each, at most `max_new_tokens`.

    Args:
        temperature: 0 takes the most likely token; else logits are divided by it before sampling.
        top_p: sample from the smallest set of tokens that holds this much probability.
        stop: token sequences that end a row as soon as it has produced one; included in the result.
        eos: a token that ends a row; included in the result. generator: makes sampling reproducible.
        dtype: of the matrix products (bfloat16 is the fastest on CPU); default as in `Decoder`.
        on_token: called as on_token(row, token) for every token that is kept, as soon as it is known.

    Raises:
        LabError: a text, an empty prompt, a token outside the vocabulary, or a setting outside its range.
    """
    if not isinstance(model, HybridLM):
        raise LabError(f"model is a {type(model).__name__}, expected a HybridLM; other models generate by themselves.")
    _check(model.config.vocab_size, prompts, max_new_tokens, temperature, top_p, stop, eos, generator)
    rows: list[list[int]] = [[] for _ in prompts]
    if not rows or not max_new_tokens:
        return rows
    device = model.embedding.weight.device
    tokens_BL, lengths = _left_pad(prompts, device)
    decoder = Decoder(model, len(rows), tokens_BL.shape[1] + max_new_tokens - 1, dtype)
    endings = [list(s) for s in stop] + ([] if eos is None else [[eos]])
    running = set(range(len(rows)))
    logits_BV = decoder.prefill(tokens_BL, lengths)
    while True:
        tokens_B = sample(logits_BV, temperature, top_p, generator)
        _append(rows, running, tokens_B.tolist(), endings, on_token)
        if not running or len(rows[min(running)]) == max_new_tokens:
            return rows
        logits_BV = decoder.step(tokens_B)


def sample(
    logits_BV: Tensor, temperature: float = 0.0, top_p: float = 1.0, generator: torch.Generator | None = None
) -> Tensor:
    """One token a row, (B,). Above temperature 0 each row uses one random number, whatever the settings.

    Nucleus sampling keeps the most likely tokens until their probabilities sum to at least `top_p`, then
    inverts the cumulative distribution of what is kept.
    """
    if temperature == 0:
        return logits_BV.argmax(-1)
    above_BV = logits_BV.double() - logits_BV.amax(-1, keepdim=True)  # no overflow at tiny temperatures
    p_BV, token_BV = torch.softmax(above_BV / temperature, -1).sort(dim=-1, descending=True, stable=True)
    mass_BV = p_BV.cumsum(-1)
    kept_B1 = (mass_BV - p_BV < top_p).sum(-1, keepdim=True)
    total_B1 = mass_BV.gather(1, kept_B1 - 1)
    uniform_B1 = torch.rand(len(p_BV), 1, generator=generator, device=p_BV.device, dtype=p_BV.dtype)
    choice_B1 = torch.searchsorted(mass_BV, uniform_B1 * total_B1, right=True)
    return token_BV.gather(1, torch.minimum(choice_B1, kept_B1 - 1)).squeeze(1)


def _left_pad(prompts: Sequence[Sequence[int]], device: torch.device) -> tuple[Tensor, list[int]]:
    """Prompts as one (B, L) tensor, zeros on the left, and their lengths."""
    lengths = [len(p) for p in prompts]
    L = max(lengths)
    padded = [[0] * (L - len(p)) + list(p) for p in prompts]
    return torch.tensor(padded, device=device), lengths


def _append(
    rows: list[list[int]],
    running: set[int],
    tokens: list[int],
    endings: list[list[int]],
    on_token: Callable[[int, int], object] | None,
) -> None:
    """Adds this step's tokens to the running rows and retires the rows that an ending matches."""
    for i in sorted(running):
        rows[i].append(tokens[i])
        if on_token is not None:
            on_token(i, tokens[i])
        if any(rows[i][-len(end) :] == end for end in endings):
            running.discard(i)


def _check(
    vocab: int,
    prompts: Sequence[Sequence[int]],
    max_new_tokens: int,
    temperature: float,
    top_p: float,
    stop: Sequence[Sequence[int]],
    eos: int | None,
    generator: torch.Generator | None,
) -> None:
    check_whole("max_new_tokens", max_new_tokens, 0)
    check_number("temperature", temperature, least=0)  # 0: greedy
    check_number("top_p", top_p, above=0, most=1)
    if generator is not None and not isinstance(generator, torch.Generator):
        raise LabError(
            f"generator is {generator!r}, expected a torch.Generator, such as torch.Generator().manual_seed(0)."
        )
    for what, sequences in (("prompt", prompts), ("stop sequence", stop), ("eos", [] if eos is None else [[eos]])):
        if isinstance(sequences, str) or not isinstance(sequences, Iterable):
            raise LabError(
                f"{what}s are {sequences!r:.60}, expected a list of lists of token ids, such as [[5, 8], [7]]."
            )
        for i, sequence in enumerate(sequences):
            _check_tokens(f"{what} {i}", sequence, vocab)


def _check_tokens(what: str, sequence: Sequence[int], vocab: int) -> None:
    """Refuses what is no list of token ids: a text above all, which a tokenizer must have seen first."""
    if isinstance(sequence, str) or not isinstance(sequence, Iterable):
        raise LabError(
            f"{what} is {sequence!r:.60}, expected token ids; a text becomes them by tokenizer.encode(text).ids."
        )
    tokens = sequence.tolist() if isinstance(sequence, Tensor) else list(sequence)
    if not tokens:
        raise LabError(f"{what} is empty; give it at least one token.")
    wrong = [t for t in tokens if isinstance(t, bool) or not isinstance(t, Integral) or not 0 <= t < vocab]
    if wrong:
        raise LabError(f"{what} has token {wrong[0]!r:.60}; token ids go from 0 to {vocab - 1}, choose among these.")


class Decoder:
    """Steps a model through B sequences at once, all caches preallocated.

    The weights are copied when the decoder is made: after a training step, make a new one. Results are
    inference tensors, without gradients.

    Args:
        model: any `HybridLM`. batch: number of sequences.
        max_length: columns of the key-value caches, prompt (with padding) plus new tokens.
        dtype: of weights, keys and values; float32 sums, state and residual stream stay as they are.
            Default: the dtype of the surrounding autocast, else that of the parameters.
    """

    def __init__(self, model: HybridLM, batch: int, max_length: int, dtype: torch.dtype | None = None) -> None:
        for name, value in (("batch", batch), ("max_length", max_length)):
            check_whole(name, value)
        self.model, self.config, self.batch, self.max_length = model, model.config, batch, max_length
        self.device = model.embedding.weight.device
        self.dtype = dtype or _current_dtype(model)
        if not isinstance(self.dtype, torch.dtype) or not self.dtype.is_floating_point:
            raise LabError(f"dtype is {dtype!r}, expected a floating-point one, such as torch.bfloat16, or None.")
        with torch.inference_mode():
            self._copy_weights()
            self.caches = make_caches(self.config, batch, max_length, self.dtype, self.device)
        self.reset()

    def _copy_weights(self) -> None:
        c, model = self.config, self.model
        self.residual = Residual(self.batch, c.d_model, c.norm_eps, self.dtype, self.device)
        self.embedding = model.embedding.weight.clone()
        self.steps: list[Step] = [step_of(block, self.batch, self.dtype) for block in model.blocks]
        self.head = packed_linear(model.head.weight * (model.norm.weight * c.d_model**0.5), self.dtype)

    @torch.inference_mode()
    def reset(self) -> None:
        """Back to empty sequences; stepping from here needs no prompt."""
        self.column = 0
        self.mask_B11T: Tensor | None = None
        self.start_B = torch.zeros(self.batch, dtype=torch.long, device=self.device)
        for cache in self.caches:
            if isinstance(cache, MambaCache):
                cache.lengths_B = None
                cache.reset()

    @torch.inference_mode()
    def prefill(self, tokens_BL: Tensor, lengths_B: Sequence[int] | None = None, group: int = 1) -> Tensor:
        """Reads the prompts in the chunked form and returns the logits after their last tokens, (B, V).

        Args:
            tokens_BL: prompts, padded on the left. lengths_B: their true lengths; None: no padding. Padding
                is a document of its own, so neither state, nor convolution, nor attention sees any of it.
            group: rows of the decoder that continue each prompt, neighbours. It is read once, and what is
                remembered of it is copied to every row; B · group is the decoder's batch, also of the logits.
        """
        B, L = tokens_BL.shape
        if self.batch != B * group or not 1 <= L <= self.max_length:
            room = f"batch {self.batch} and length {self.max_length}"
            raise LabError(f"prompts of shape {(B, L)} do not fit a decoder of {room}; make another one.")
        self.reset()
        document_BL = self._note_padding(lengths_B, L, group)
        low = self.dtype in (torch.bfloat16, torch.float16)
        with torch.autocast(self.device.type, self.dtype if low else None, enabled=low):
            hidden_BLd = self.model.hidden(tokens_BL, document_BL, self.caches)
            logits = self.model.head(hidden_BLd[:, -1].repeat_interleave(group, 0))
        self.column = L
        return logits.to(self.residual.x.dtype)

    def _note_padding(self, lengths_B: Sequence[int] | None, L: int, group: int) -> Tensor | None:
        """Remembers where each row starts; returns the document numbers, or None without padding."""
        if lengths_B is None or all(n == L for n in lengths_B):
            return None
        prompts = self.batch // group
        if len(lengths_B) != prompts or not all(1 <= n <= L for n in lengths_B):
            raise LabError(f"lengths {list(lengths_B)} must be {prompts} numbers between 1 and {L}.")
        lengths = torch.tensor(list(lengths_B), device=self.device).repeat_interleave(group)
        self.start_B = L - lengths
        column = torch.arange(self.max_length, device=self.device)
        real_BT = column >= self.start_B[:, None]
        self.mask_B11T = torch.zeros(real_BT.shape, dtype=self.dtype, device=self.device)
        self.mask_B11T = self.mask_B11T.masked_fill_(~real_BT, -torch.inf)[:, None, None]
        for cache in self.caches:
            if isinstance(cache, MambaCache):
                cache.lengths_B = lengths
        return real_BT[::group, :L].long()

    @torch.inference_mode()
    def step(self, tokens_B: Tensor) -> Tensor:
        """Appends one token to every sequence; returns the logits for the next one, (B, V)."""
        if self.column >= self.max_length:
            raise LabError(f"the caches hold max_length={self.max_length} tokens and are full; make a longer decoder.")
        residual, place = self.residual, self._place()
        residual.x.copy_(self.embedding.index_select(0, tokens_B))
        for step, cache in zip(self.steps, self.caches, strict=True):
            step(residual, cache, place)
        self.column += 1
        return self.head(residual.normalised()).to(residual.x.dtype)

    def _place(self) -> Place:
        c = self.config
        if not c.rope_theta or "*" not in c.pattern:
            return Place(self.column, self.mask_B11T)
        position_B = self.column - self.start_B
        return Place(self.column, self.mask_B11T, *rotation(position_B, c.head_dim, c.rope_theta))

    @torch.inference_mode()
    def fill(self, context: int, seed: int = 0) -> None:
        """Pretends that `context` tokens were read, with random memories. For timing only."""
        if not 0 <= context < self.max_length:
            raise LabError(f"context is {context}; it must be 0 to {self.max_length - 1}, below max_length.")
        self.reset()
        generator = torch.Generator(self.device).manual_seed(seed)
        for cache in self.caches:
            if isinstance(cache, AttentionCache):
                for buffer in cache.buffers():
                    buffer[:, :, :context].normal_(generator=generator)
            elif cache is not None:
                cache.state_XNP.normal_(generator=generator)
        self.column = context


def _current_dtype(model: HybridLM) -> torch.dtype:
    weight = model.embedding.weight
    if torch.is_autocast_enabled(weight.device.type):
        return torch.get_autocast_dtype(weight.device.type)
    return weight.dtype
