"""How a conversation becomes a prompt: the chat templates of the usual markers, for tokenizers that have them.

    template = template_of(tokenizer.get_vocab(), opening_of(tokenizer))     # Jinja, as `transformers` renders it

A tokenizer that was trained with the markers of a chat format says which format its model was tuned on; saved
without a template, `apply_chat_template` fails, and a server falls back on another format than the training's.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

SYSTEM, USER, ASSISTANT = ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class ChatFormat:
    """The tokens that mark turns, and what stands before and behind the text of each role."""

    markers: tuple[str, ...]
    turns: Mapping[str, tuple[str, str]]

    def template(self, opening: str = "") -> str:
        """In Jinja, with what stands before all turns; a role that the format lacks is an error there."""
        return (
            f"{{{{- {json.dumps(opening)} -}}}}"
            * bool(opening)
            + f"{{%- set turns = {json.dumps(dict(self.turns))} -%}}"
            "{%- for message in messages -%}"
            "{%- if message['role'] not in turns -%}"
            "{{- raise_exception('This chat format has no role ' + message['role']) -}}"
            "{%- endif -%}"
            "{%- set turn = turns[message['role']] -%}"
            "{{- turn[0] + message['content'] + turn[1] -}}"
            "{%- endfor -%}"
            "{%- if add_generation_prompt -%}{{- turns['assistant'][0] -}}{%- endif -%}"
        )


FORMATS: dict[str, ChatFormat] = {
    "ChatML": ChatFormat(
        ("<|im_start|>", "<|im_end|>"), {role: (f"<|im_start|>{role}\n", "<|im_end|>\n") for role in ROLES}
    ),
    "Llama 3": ChatFormat(
        ("<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
        {role: (f"<|start_header_id|>{role}<|end_header_id|>\n\n", "<|eot_id|>") for role in ROLES},
    ),
    "Phi 3": ChatFormat(
        ("<|user|>", "<|assistant|>", "<|end|>"), {role: (f"<|{role}|>\n", "<|end|>\n") for role in ROLES}
    ),
    "Gemma": ChatFormat(
        ("<start_of_turn>", "<end_of_turn>"),
        {
            USER: ("<start_of_turn>user\n", "<end_of_turn>\n"),
            ASSISTANT: ("<start_of_turn>model\n", "<end_of_turn>\n"),
        },
    ),
    "Nemotron Nano 2": ChatFormat(
        ("<SPECIAL_10>", "<SPECIAL_11>", "<SPECIAL_12>"),
        {
            SYSTEM: ("<SPECIAL_10>System\n", "\n"),
            USER: ("<SPECIAL_11>User\n", "\n"),
            ASSISTANT: ("<SPECIAL_11>Assistant\n", "\n<SPECIAL_12>\n"),
        },
    ),
}


def template_of(tokens: Collection[str], opening: str = "") -> str | None:
    """The template of the format all of whose markers are among the tokens; None where none or several are.

    Args:
        opening: what the tokenizer writes before every text (`opening_of`): `apply_chat_template` takes the template's
            text without what the tokenizer would add, so that a prompt of training begins so and another would not.
    """
    found = [one for one in FORMATS.values() if all(marker in tokens for marker in one.markers)]
    return found[0].template(opening) if len(found) == 1 else None


def opening_of(tokenizer: Any) -> str:
    """The special tokens that a tokenizer of `transformers` writes by itself before every text, such as `<bos>`."""
    whole = tokenizer("x")["input_ids"]
    bare = tokenizer("x", add_special_tokens=False)["input_ids"]
    before = next((at for at in range(len(whole)) if whole[at : at + len(bare)] == bare), 0)
    return "".join(tokenizer.convert_ids_to_tokens(whole[:before]))


def end_of_turn(tokenizer: Any) -> int | None:
    """The special token that closes the assistant's turn by a tokenizer's template; None where there is none."""
    from jinja2 import TemplateError

    turn = [{"role": USER, "content": "Q"}, {"role": ASSISTANT, "content": "ANSWER"}]
    try:
        text = tokenizer.apply_chat_template(turn, tokenize=False) if tokenizer.chat_template else ""
    except TemplateError:  # a template that wants other turns
        return None
    added = tokenizer.added_tokens_decoder
    ids = tokenizer(text.rpartition("ANSWER")[2], add_special_tokens=False)["input_ids"]
    return next((token for token in ids if token in added and added[token].special), None)
