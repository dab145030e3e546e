"""The numbers behind notebook 90, performance, one instance a scale."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Performance:
    """90: this machine's limits, and ours against Hugging Face on the same weights."""

    rounds: int  # ours and theirs in turn, so often
    batch_size: int  # sequences a training step
    length: int  # tokens a training sequence
    steps: int  # training steps timed a round
    new_tokens: int  # tokens decoded a sequence
    largest_matrix: int  # rows of the largest square matrix product
    largest_mb: int  # MB of the largest arrays that are copied
    budget: float  # seconds for each single limit
    proxies: int = 16  # of a mixture search, trained in a round
    proxy_steps: int = 20  # of each
    proxy_rounds: int = 4  # ours and theirs in turn, so often
    grpo_models: int = 2  # policies, the first so many
    grpo_prompts: int = 32  # a step of GRPO
    grpo_group: int = 16  # answers to a prompt
    grpo_steps: int = 4  # timed a round
    grpo_rounds: int = 3  # ours and theirs in turn, so often
    extract_rounds: int = 4  # ours and trafilatura in turn, so often
    extract_pages: int = 500  # web pages a round


SETTINGS: Mapping[str, Performance] = {
    "smoke": Performance(
        1,
        1,
        64,
        1,
        new_tokens=4,
        largest_matrix=256,
        largest_mb=16,
        budget=0.01,
        proxies=2,
        proxy_steps=2,
        proxy_rounds=1,
        grpo_models=1,
        grpo_prompts=2,
        grpo_group=2,
        grpo_steps=1,
        grpo_rounds=1,
        extract_rounds=1,
        extract_pages=96,
    ),
    "laptop": Performance(6, 4, 512, 3, new_tokens=64, largest_matrix=2048, largest_mb=256, budget=0.2),
    "gpu": Performance(6, 8, 2048, 9, new_tokens=99, largest_matrix=8192, largest_mb=4096, budget=0.5),
    "cluster": Performance(6, 8, 2048, 9, 99, largest_matrix=8192, largest_mb=4096, budget=0.5),
}
