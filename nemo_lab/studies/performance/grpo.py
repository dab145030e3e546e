"""GRPO steps: ours against TRL's `GRPOTrainer`, on the same weights, prompts, group size and lengths.

    python -m nemo_lab.studies.performance.grpo ours hybrid --steps 4
    python -m nemo_lab.studies.performance.grpo trl hybrid --steps 4

A step samples `prompts` x `group` answers of up to `new_tokens` tokens at temperature 1, scores them with the same
function, and takes one update: advantages divided by the group's spread, token mean, no KL term, gradients clipped
at 1, float32 weights. Two models: *hybrid*, a Mamba-2 and attention model, which for TRL is exported to transformers'
`nemotron_h`; and *llama*, a small `LlamaForCausalLM`, which both sides run as it is, so that only the engines differ.

In fairness to TRL: gradient checkpointing, its default, is off; the hybrid's chunk is 8, so that transformers' scan
does not pad 24 tokens to 64; the hybrid's update runs in four micro-batches on both sides, the faster of those tried;
no reference model, no logging. Each side multiplies in bf16 or float32, whichever is faster for it (`--precision`
overrides). What makes TRL fast on GPUs (vLLM, Mamba's kernels) is not to be had on a CPU.

`measure` starts such a process, see `nemo_lab.studies.performance.sides`.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch

from nemo_lab.errors import LabError, one_of
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.model import HybridLM
from nemo_lab.reasoning.codec import END, PAD, Codec
from nemo_lab.reasoning.experience import Prompt
from nemo_lab.reasoning.grpo_loop import grpo
from nemo_lab.reasoning.grpo_settings import GRPOSettings
from nemo_lab.reasoning.policy import Policy
from nemo_lab.reasoning.questions.domains import draw
from nemo_lab.studies.performance.sides import Benchmark, Result, main, run_side

SIDES = ("ours", "trl")
MODELS = ("hybrid", "llama")
PRECISIONS = ("fp32", "bf16")
WARMUP = 2  # steps that are not counted
FASTER_IN_BF16 = {("ours", "hybrid")}  # of side and model, on a CPU; the others are faster in float32
MICRO_BATCHES = {"hybrid": 4, "llama": 1}  # of an update, on both sides
LEARNING_RATE = 1e-4
CODEC = Codec(words=())


@dataclass(frozen=True)
class StepSizes:
    """How much a step samples, and how many steps are timed after the warm-up."""

    prompts: int = 32
    group: int = 16
    new_tokens: int = 16
    steps: int = 4
    precision: str = ""  # of matrix products, fp32 or bf16; empty: what is faster for the side


BENCHMARK = Benchmark("nemo_lab.studies.performance.grpo", {"side": SIDES, "model": MODELS}, StepSizes)


def measure(side: str, model: str, sizes: StepSizes) -> Result:
    """Time one side in a process of its own.

    Returns: seconds of each step, tokens sampled a step, mean reward of the first step, parameters.

    Raises:
        LabError: an unknown side or model, or the process failed; the sentence gives its last line.
    """
    return run_side(BENCHMARK, [side, model], sizes)


def questions(count: int) -> list[str]:
    """Prompts of both sides: sums of three digits, eight characters each."""
    return [f"{item.question}=" for item in draw("sum", count, seed=0, level=3)]


def worth(text: str) -> float:
    """The reward of both sides: cheap, and different within most groups of an untrained model."""
    return float(len(set(text)) % 3)


def hybrid() -> HybridLM:
    """Two Mamba-2 and two attention layers of width 64, untrained."""
    config = HybridConfig("M-*-M-*-", vocab_size=CODEC.vocab_size, d_model=64, d_ff=256, n_kv_heads=2, chunk=8)
    return HybridLM(config, seed=0)


def llama() -> Any:
    """Four layers of width 64 of `LlamaForCausalLM`, untrained."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=CODEC.vocab_size,
            hidden_size=64,
            intermediate_size=192,
            num_hidden_layers=4,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=128,
            pad_token_id=CODEC.pad,
            eos_token_id=CODEC.end,
            bos_token_id=None,
        )
    )


class _Log:
    """When each step ended, how many tokens were sampled, and the first step's mean reward."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.tokens: list[int] = []
        self.rewards: list[float] = []

    def result(self, parameters: int) -> Result:
        gaps = [later - earlier for earlier, later in pairwise(self.ends)]
        return {
            "seconds": gaps[WARMUP - 1 :],
            "tokens": self.tokens[WARMUP:],
            "first_reward": self.rewards[0],
            "parameters": parameters,
        }


def run_ours(name: str, sizes: StepSizes, precision: str) -> Result:
    """Our engine; the hybrid as it is, the Llama through its own forward pass and cache."""
    model = hybrid() if name == "hybrid" else llama()
    policy = Policy(model, CODEC.encode, CODEC.decode, CODEC.end, CODEC.pad)
    log, asked = _Log(), questions(sizes.prompts * (sizes.steps + WARMUP))

    def note(row: dict[str, float]) -> None:
        log.ends.append(time.perf_counter())
        log.tokens.append(int(row["tokens"]) - sum(log.tokens))
        log.rewards.append(row["reward"])

    settings = GRPOSettings(
        sizes.steps + WARMUP,
        prompts=sizes.prompts,
        group=sizes.group,
        max_new_tokens=sizes.new_tokens,
        peak_lr=LEARNING_RATE,
        precision=precision,
        micro_batch=sizes.prompts * sizes.group // MICRO_BATCHES[name],
    )
    grpo(
        policy,
        lambda step, attempt: [Prompt(q) for q in asked[step * sizes.prompts : (step + 1) * sizes.prompts]],
        lambda prompt, text, ended: worth(text),
        settings,
        progress=False,
        on_step=note,
    )
    return log.result(sum(p.numel() for p in model.parameters()))


def run_trl(name: str, sizes: StepSizes, precision: str) -> Result:
    """TRL's trainer on the same weights."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from datasets import Dataset
    from transformers import TrainerCallback
    from trl import GRPOConfig, GRPOTrainer

    model, log = _for_trl(name), _Log()

    class Clock(TrainerCallback):  # type: ignore[misc]
        def on_step_end(self, *arguments: Any, **more: Any) -> None:
            log.ends.append(time.perf_counter())

    def reward(completions: list[str], completion_ids: list[list[int]], **_: Any) -> list[float | None]:
        worths = [worth(text) for text in completions]
        log.tokens.append(sum(map(len, completion_ids)))
        log.rewards.append(sum(worths) / len(worths))
        return [*worths]

    rows, micro = sizes.prompts * sizes.group, MICRO_BATCHES[name]
    with tempfile.TemporaryDirectory() as folder:
        trainer = GRPOTrainer(
            model=model,
            reward_funcs=reward,
            processing_class=tokenizer(),
            callbacks=[Clock()],
            train_dataset=Dataset.from_dict({"prompt": questions(sizes.prompts * (sizes.steps + WARMUP))}),
            args=GRPOConfig(
                output_dir=folder,
                use_cpu=not torch.cuda.is_available(),
                bf16=precision == "bf16",
                gradient_checkpointing=False,
                per_device_train_batch_size=rows // micro,
                gradient_accumulation_steps=micro,
                num_generations=sizes.group,
                max_completion_length=sizes.new_tokens,
                num_iterations=1,
                beta=0.0,
                loss_type="dapo",
                scale_rewards="group",
                learning_rate=LEARNING_RATE,
                max_grad_norm=1.0,
                temperature=1.0,
                top_p=1.0,
                top_k=0,
                max_steps=sizes.steps + WARMUP,
                logging_strategy="no",
                save_strategy="no",
                report_to=[],
                disable_tqdm=True,
                dataloader_pin_memory=False,
                seed=0,
            ),
        )
        trainer.train()
    return log.result(sum(p.numel() for p in model.parameters()))


def _for_trl(name: str) -> Any:
    from nemo_lab.modeling.huggingface import to_hf

    model = to_hf(hybrid()) if name == "hybrid" else llama()
    model.generation_config.pad_token_id, model.generation_config.eos_token_id = CODEC.pad, CODEC.end
    return model


def tokenizer() -> Any:
    """The codec as a tokenizer of transformers, with the same ids."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    pieces = [END, PAD, *(CODEC.decode([i]) for i in range(2, CODEC.vocab_size))]
    made = Tokenizer(models.WordLevel({piece: i for i, piece in enumerate(pieces)}, unk_token=PAD))
    made.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")  # type: ignore[assignment]
    made.decoder = decoders.Fuse()  # type: ignore[assignment]
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token=PAD, eos_token=END, padding_side="left")


def run(words: Sequence[str], sizes: StepSizes) -> Result:
    """Time the side and model that the words name."""
    side, model = words
    precision = sizes.precision or ("bf16" if (side, model) in FASTER_IN_BF16 else "fp32")
    if precision not in PRECISIONS:
        raise LabError(one_of("precision", precision, PRECISIONS))
    result = {"ours": run_ours, "trl": run_trl}[side](model, sizes, precision)
    return {"model": model, "precision": precision, "threads": torch.get_num_threads()} | result


if __name__ == "__main__":
    sys.exit(main(BENCHMARK, run))
