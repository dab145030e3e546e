"""Reasoning: questions with exact checkers, a tiny model that thinks, and the reinforcement learning that teaches it.

questions    text, without torch: items, tasks, domains, checkers, templates
retro        Retro-Search on traces of thoughts
toggle       thinking on and off in a chat model of Hugging Face

The engine, with torch: codec, policy, rollouts, evaluate, sft, experience, grpo_loop, curriculum, blends.
"""

from nemo_lab.lazy import attach

_HOMES = {
    "GRPOSettings": "grpo_settings",
    "Policy": "policy",
    "Prompt": "experience",
    "answer": "evaluate",
    "grpo": "grpo_loop",
    "pass_rates": "evaluate",
    "small_policy": "policy",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
