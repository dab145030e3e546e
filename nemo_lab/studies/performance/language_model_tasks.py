"""The work that is timed on both sides, ours and Hugging Face's `nemotron_h`; `peers` runs it in processes.

What is the same on both sides: weights (`to_hf` of one seed), random byte tokens, autocast to bf16, the mean
cross-entropy, gradient clipping, fused AdamW with the same groups, and the number of threads. What differs is
what is compared: our `train` against the loop that a user of `transformers` writes, our `Decoder` and
`generate` against its `forward` and `generate`, in bf16 and in fp32. The losses of the two trainings are
returned as well: equal losses mean that the same work was done.

Decoding is timed from the first new token to the last, which leaves out the reading of the prompt and our
packing of the weights; `first_token` is the time until the first token and holds both.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from nemo_lab.memory import peak_mb
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.decode import packed_linear
from nemo_lab.modeling.generation import Decoder, generate
from nemo_lab.modeling.huggingface import to_hf
from nemo_lab.modeling.model import HybridLM
from nemo_lab.training.loop import train
from nemo_lab.training.optimizer import adamw, clip_gradients
from nemo_lab.training.packing import Batch
from nemo_lab.training.settings import TrainSettings

CONFIG = HybridConfig(
    pattern="M-M-M*-M-M-M*-M-",
    vocab_size=256,
    d_model=256,
    d_ff=1024,
    n_heads=8,
    n_kv_heads=2,
    head_dim=32,
    ssm_heads=8,
    ssm_head_dim=64,
    ssm_state=64,
    ssm_groups=2,
    chunk=64,
)
DTYPES = {"bf16": torch.bfloat16, "fp32": torch.float32}
WARMUP = 2  # steps and calls that are not counted
PROMPT = 16  # tokens before decoding starts

Result = dict[str, Any]
OnStep = Callable[[dict[str, float]], None]


@dataclass(frozen=True)
class TrainingSizes:
    """How much work one process times: rows and tokens of a step, steps, tokens to decode."""

    batch_size: int = 4
    length: int = 512
    steps: int = 4
    new_tokens: int = 64


# --- training


def training(side: str, sizes: TrainingSizes) -> Result:
    """Seconds and loss of each step after the warm-up, and what the process held at most, in MB."""
    if side == "hf":
        from transformers import NemotronHForCausalLM  # noqa: F401  # a library's memory is not the step's
    before = peak_mb()
    rows = _train(side, sizes, WARMUP + sizes.steps, lambda row: None)
    ends = [0.0, *(row["seconds"] for row in rows)]
    seconds = [end - start for start, end in itertools.pairwise(ends)]
    return {
        "seconds": seconds[WARMUP:],
        "tokens": sizes.batch_size * sizes.length,
        "loss": [row["loss"] for row in rows],
        "peak_mb": peak_mb(),
        "peak_mb_before": before,
    }


def _train(side: str, sizes: TrainingSizes, steps: int, on_step: OnStep) -> list[dict[str, float]]:
    """Train one side; returns rows of step, loss and seconds since the start."""
    settings = TrainSettings(
        steps=steps, batch_size=sizes.batch_size, peak_lr=1e-3, schedule="constant", precision="bf16"
    )
    model = HybridLM(CONFIG).to(device())
    if side == "ours":
        history = train(model, lambda step: _batch(sizes, step), settings, progress=False, on_step=on_step)
        return [dict(zip(history.columns, row, strict=True)) for row in history.to_numpy().tolist()]
    return train_hf(to_hf(model).train(), settings, sizes, on_step)


def train_hf(model: Any, settings: TrainSettings, sizes: TrainingSizes, on_step: OnStep) -> list[dict[str, float]]:
    """The loop that a user of `transformers` writes, with our optimizer's groups and clipping."""
    optimizer, place, rows = adamw(model, settings), device(), []
    began = time.perf_counter()
    for step in range(settings.steps):
        data = _batch(sizes, step)
        tokens_BL, targets_BL = data.tokens_BL.to(place), data.targets_BL.to(place)
        with torch.autocast(place.type, torch.bfloat16):
            logits_BLV = model(tokens_BL, use_cache=False).logits
            loss = F.cross_entropy(logits_BLV.float().flatten(0, 1), targets_BL.flatten())
        loss.backward()
        clip_gradients(model.parameters(), settings.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        row = {"step": step + 1, "loss": float(loss.detach()), "seconds": time.perf_counter() - began}
        rows.append(row)
        on_step(row)
    return rows


def _batch(sizes: TrainingSizes, step: int) -> Batch:
    """Random bytes, one document a row; a function of the step alone, so that both sides see the same."""
    generator = torch.Generator().manual_seed(step)
    shape = (sizes.batch_size, sizes.length + 1)
    tokens = torch.randint(CONFIG.vocab_size, shape, generator=generator)
    return Batch(tokens[:, :-1], tokens[:, 1:], torch.zeros_like(tokens[:, 1:]))


def profile(side: str, sizes: TrainingSizes) -> Result:
    """Seconds a step that each torch operation takes itself, by name, over the steps after the warm-up."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    cuda = device().type == "cuda"
    recorder = profiler(activities=[ProfilerActivity.CUDA if cuda else ProfilerActivity.CPU])

    def on_step(row: dict[str, float]) -> None:
        if row["step"] == WARMUP:
            recorder.start()
        if row["step"] == WARMUP + sizes.steps:
            recorder.stop()

    _train(side, sizes, WARMUP + sizes.steps, on_step)
    field = "self_device_time_total" if cuda else "self_cpu_time_total"
    spent = {event.key: getattr(event, field) * 1e-6 / sizes.steps for event in recorder.key_averages()}
    return {name: seconds for name, seconds in spent.items() if seconds > 0}


# --- reading a prompt and decoding


def prefill(side: str, dtype: torch.dtype, sizes: TrainingSizes) -> Result:
    """Seconds to read `batch_size` prompts of `length` tokens into caches, one number a call."""
    tokens_BL = _batch(sizes, 0).tokens_BL.to(device())
    read = _reader(side, dtype, tokens_BL)
    seconds = []
    for _ in range(WARMUP + sizes.steps):
        began = time.perf_counter()
        read()
        _wait()
        seconds.append(time.perf_counter() - began)
    return {"seconds": seconds[WARMUP:], "tokens": tokens_BL.numel()}


def _reader(side: str, dtype: torch.dtype, tokens_BL: torch.Tensor) -> Callable[[], object]:
    model = HybridLM(CONFIG).to(tokens_BL.device)
    if side == "ours":
        decoder = Decoder(model, len(tokens_BL), tokens_BL.shape[1], dtype)
        return lambda: decoder.prefill(tokens_BL)
    hf = to_hf(model).to(dtype)
    return torch.inference_mode()(lambda: hf(tokens_BL, use_cache=True, logits_to_keep=1))


def decode(side: str, dtype: torch.dtype, batch: int, sizes: TrainingSizes) -> Result:
    """Seconds from the first new token to the last, of the second of two calls; tokens over all rows."""
    prompt_BL = _batch(TrainingSizes(batch, PROMPT), 0).tokens_BL
    model = HybridLM(CONFIG).to(device())
    write = _writer(side, dtype, model, prompt_BL)
    write(min(sizes.new_tokens, 4))
    began = time.perf_counter()
    stamps = write(sizes.new_tokens)
    return {
        "seconds": [stamps[-1] - stamps[0]],
        "tokens": batch * (len(stamps) - 1),
        "first_token": stamps[0] - began,
    }


def _writer(side: str, dtype: torch.dtype, model: HybridLM, prompt_BL: torch.Tensor) -> Callable[[int], list[float]]:
    """A function that decodes so many tokens greedily and returns the time of each step."""
    if side == "ours":
        last = len(prompt_BL) - 1

        def ours(count: int) -> list[float]:
            stamps: list[float] = []
            generate(
                model,
                prompt_BL.tolist(),
                count,
                dtype=dtype,
                on_token=lambda row, token: stamps.append(time.perf_counter()) if row == last else None,
            )
            return stamps

        return ours
    hf = to_hf(model).to(dtype)

    def theirs(count: int) -> list[float]:
        stamps: list[float] = []

        def stamp(tokens_BL: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
            _wait()
            stamps.append(time.perf_counter())
            return torch.zeros(len(tokens_BL), dtype=torch.bool, device=tokens_BL.device)

        hf.generate(
            prompt_BL.to(device()),
            max_new_tokens=count,
            do_sample=False,
            use_cache=True,
            pad_token_id=0,
            stopping_criteria=[stamp],
        )
        return stamps

    return theirs


def matmuls(sizes: TrainingSizes) -> Result:
    """Seconds that the weight matrices alone take for one token of 1 and of 16 rows, the best of all calls.

    Each matrix is packed once, as our decoder does; nothing else of the model runs. No decoder that
    multiplies by every weight once a token is faster than this.
    """
    weights = [module.weight for module in HybridLM(CONFIG).modules() if isinstance(module, torch.nn.Linear)]
    best = {}
    for rows in (1, 16):
        times = [_products_seconds(weights, rows, dtype, sizes.new_tokens) for dtype in DTYPES.values()]
        best[str(rows)] = min(times)
    return best


@torch.inference_mode()
def _products_seconds(weights: Sequence[torch.Tensor], rows: int, dtype: torch.dtype, calls: int) -> float:
    inputs = [torch.randn(rows, weight.shape[1], dtype=dtype, device=device()) for weight in weights]
    products = [packed_linear(weight.detach().to(device()), dtype) for weight in weights]
    seconds = []
    for _ in range(WARMUP + calls):
        began = time.perf_counter()
        for product, x in zip(products, inputs, strict=True):
            product(x)
        _wait()
        seconds.append(time.perf_counter() - began)
    return min(seconds[WARMUP:])


# --- the two are the same model


def same(sizes: TrainingSizes) -> Result:
    """Parameter counts of both sides, the largest difference of their fp32 logits, and of greedy tokens."""
    ours = HybridLM(CONFIG).to(device())
    hf = to_hf(ours)
    tokens_BL = _batch(TrainingSizes(2, 100), 1).tokens_BL
    with torch.inference_mode():
        inputs = tokens_BL.to(device())
        difference = (ours(inputs) - hf(inputs).logits).abs().max()
    mine = generate(ours, tokens_BL.tolist(), sizes.new_tokens)
    theirs = hf.generate(inputs, max_new_tokens=sizes.new_tokens, do_sample=False, pad_token_id=0)
    return {
        "parameters_ours": ours.parameter_count(),
        "parameters_hf": sum(parameter.numel() for parameter in hf.parameters()),
        "logit_difference": float(difference),
        "greedy_tokens_equal": mine == theirs[:, tokens_BL.shape[1] :].tolist(),
    }


def device() -> torch.device:
    """Where the work is done: a GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _wait() -> None:
    """Until the device has done what it was told."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
