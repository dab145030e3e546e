"""Ways to damage a file of a Puzzle library, and files that are none."""

import json

import torch
from safetensors.torch import save_file

DAMAGE = ("cut", "text", "empty", "foreign", "errors that are no JSON", "errors that are a list", "errors of no option")
SCORES = (
    "cut",
    "text",
    "empty",
    "bytes",
    "a list",
    "one kind",
    "no options",
    "no option",
    "no number",
    "a number less",
)


def damaged(file, kind):
    """Damage a file of tensors."""
    content = file.read_bytes()
    written = {"cut": content[: len(content) // 2], "text": b"not a file of tensors", "empty": b""}
    if kind in written:
        file.write_bytes(written[kind])
        return
    errors = {
        "foreign": None,
        "errors that are no JSON": {"errors": "{"},
        "errors that are a list": {"errors": "[1]"},
        "errors of no option": {"errors": json.dumps({"ffn.wide": {"start": 1.0}})},
    }
    save_file({"weight": torch.zeros(2)}, file, metadata=errors[kind])


def damaged_scores(file, kind):
    """Damage a file of scores."""
    found = json.loads(file.read_text())
    text = file.read_text()
    numbers = {"kl": 0.1, "cosine": 0.1, "loss": 0.1}
    written = {
        "cut": text[: len(text) // 2],
        "text": "scores",
        "empty": "",
        "a list": "[]",
        "one kind": json.dumps({"ffn": found["ffn"]}),
        "no options": json.dumps(found | {"ffn": {}}),
        "no option": json.dumps(found | {"ffn": {"wide": numbers}}),
        "no number": json.dumps(found | {"ffn": {"24": numbers | {"kl": None}}}),
        "a number less": json.dumps(found | {"ffn": {"24": {"kl": 0.1}}}),
    }
    file.write_bytes(b"\xff\xfe\x00" if kind == "bytes" else written[kind].encode())
