"""Scripted models for which the right revision is known."""

import re
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch

from nemo_lab.reasoning.policy import Policy
from nemo_lab.reasoning.retro.search import RevisionSettings, Traced, Trail
from nemo_lab.reasoning.retro.switch_bans import open_step
from nemo_lab.reasoning.retro.thoughts import BLANK, segment, split_steps
from nemo_lab.studies.retro_search import rule_puzzles as rp

CODEC = rp.codec()
KEYWORDS = tuple(word.lower() for word in rp.SWITCHES)


class Scripted:
    """A causal model that writes step by step what a policy prefers; banned tokens move it to the next preference.

    Hugging Face's calling convention, so that `sample_responses` decodes it like any other model.
    """

    def __init__(self, policy: Callable[[rp.Puzzle, list[str]], list[str]]) -> None:
        self.policy = policy

    config = SimpleNamespace(vocab_size=CODEC.vocab_size)

    def parameters(self) -> Any:
        return iter([torch.zeros(1)])

    def __call__(self, tokens: Any, attention_mask: Any, past_key_values: Any = None, **_: Any) -> SimpleNamespace:
        seen = tokens if past_key_values is None else torch.cat([past_key_values, tokens], 1)
        rows = zip(seen.tolist(), attention_mask.tolist(), strict=True)
        texts = [CODEC.decode(t for t, real in zip(row, mask, strict=True) if real) for row, mask in rows]
        logits = torch.zeros(len(texts), 1, CODEC.vocab_size)
        for row, text in enumerate(texts):
            for rank, rest in enumerate(self.preferred(text)):
                logits[row, 0, CODEC.encode(rest)[0] if rest else CODEC.end] = 100.0 - rank
        return SimpleNamespace(logits=logits, past_key_values=seen)

    def preferred(self, text: str) -> list[str]:
        """What is left to write of each preferred step."""
        prompt, trace = text[: text.index("?") + 4], text[text.index("?") + 4 :]
        finished, written = open_step(trace)
        steps = [step.rstrip("\n") for step in split_steps(trace)[:finished]]
        whole = [step if step.startswith("so") else step + "\n\n" for step in self.policy(PUZZLES[prompt], steps)]
        return [step[len(written) :] for step in whole if step.startswith(written)]


def scripted(policy: Callable[[rp.Puzzle, list[str]], list[str]]) -> Policy:
    return Policy(Scripted(policy), CODEC.encode, CODEC.decode, CODEC.end, CODEC.pad)


def patient(one: rp.Puzzle, steps: list[str]) -> list[str]:
    """Each rule in its turn, to its end. Where it may not switch, it guesses; to what is no step it has no answer."""
    if not steps:
        return [hop(one.start, one.rules[0])]
    last = re.fullmatch(r"(?:.*, )?\d\d(\D\d+)=(\d\d)(?: vs \d\d)?", steps[-1])
    if last is None or last[1] not in one.rules:
        return []
    made = len(segment("\n\n".join(steps), KEYWORDS)[-1])
    if made < one.hops:
        return [hop(int(last[2]), last[1]) + f" vs {one.goal:02d}" * (made == one.hops - 1)]
    guess = f"so {steps[-1].split(', ')[-1].split('=')[0]}"
    return [guess] if int(last[2]) == one.goal else [f"Not sure, {hop(one.start, after(one, steps))}", guess]


def hasty(one: rp.Puzzle, steps: list[str]) -> list[str]:
    """Would rather switch after two steps of the first rule; where that is banned, goes on."""
    go_on = patient(one, steps)
    short = bool(steps) and len(segment("\n\n".join(steps), KEYWORDS)[-1]) == 2 and one.rules[0] in steps[-1]
    return [f"Hmm, {hop(one.start, after(one, steps))}", *go_on] if short else go_on


def after(one: rp.Puzzle, steps: list[str]) -> str:
    rule = steps[-1].split("=")[0].split(" ")[-1][2:]
    return one.rules[(one.rules.index(rule) + 1) % len(one.rules)]


def hop(number: int, rule: str) -> str:
    return f"{number:02d}{rule}={rp.apply(rule, number):02d}"


def items_of(some: list[rp.Puzzle], leave: float = 0.6) -> list[Traced]:
    return [Traced(one.prompt, rp.attempt(one, leave, 5), partial(rp.is_correct, one)) for one in some]


def search(**changes: Any) -> RevisionSettings:
    return RevisionSettings(**{"keywords": KEYWORDS, "temperature": 0.0, "max_new_tokens": 120} | changes)


PUZZLES = {one.prompt: one for one in (rp.puzzle(0, "train", n) for n in range(24))}
ITEMS = items_of(list(PUZZLES.values()))
LONG = ["03+5=08", "08+5=13", "13+5=01", "so 13+5"]


def trail(steps: list[str], keywords: tuple[str, ...] = KEYWORDS) -> Trail:
    """A trace of these steps behind one thought that was given up; right is what ends with `so 13+5`."""
    text = BLANK.join(["03+8=11", f"Hmm, {steps[0]}", *steps[1:]])
    item = Traced("p", text, lambda trace: trace.endswith("so 13+5"))
    return Trail(item, segment(text, keywords))
