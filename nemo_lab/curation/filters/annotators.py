"""Two annotators who give documents 0 to 5 points for educational value, and do not think alike.

Nemotron-CC had Mixtral 8x22B and Nemotron-4-340B. What fits a laptop is a rubric of countable signs, and a chat model
of 135 M parameters that is asked for a digit. The model's answer is not sampled: `ask` returns the mean digit under
its probabilities for the digits 0 to 5, which is finer and costs one forward pass. How far either deserves belief is
measured in notebook 02 against the known origin of documents; neither is a 340 B model.

    rubric(texts)                       # five signs of explaining prose, a point each
    ask(texts, model, tokenizer)        # a causal language model of Hugging Face with a chat template
"""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nemo_lab.curation.filters.math_quality import ramp
from nemo_lab.errors import check_texts, check_whole
from nemo_lab.progress import progress

_WORD = re.compile(r"[A-Za-z]+(?:'[a-z]+)?")
_SENTENCE = re.compile(r"[.!?][\"')\]]?(?:\s|$)")
_FUNCTION_WORD = re.compile(
    r"\b(?:the|of|and|to|a|in|is|that|for|it|as|with|be|by|on|this|are|or|from|which|an|not|at|have|can|will|was|one)\b"
)
_EXPLAINING = re.compile(
    r"\b(?:because|since|therefore|thus|hence|however|for example|for instance|such as|means? that|is called|"
    r"are called|refers? to|consists? of|is defined|in other words|that is|in order to|so that|as follows|note that|"
    r"usually|if you|you can|when|why|how)\b",
    re.IGNORECASE,
)
QUESTION = (
    "Here is an extract of a web page:\n\n{extract}\n\nHow much could a student learn from it? Answer with one digit "
    "from 0 (nothing: menus, lists, notices) to 5 (very much: a clear explanation)."
)
_DIGITS = tuple("012345")


def rubric(texts: Sequence[str]) -> NDArray[np.float64]:
    """Return 0 to 5 points a text, up to one each for prose, sentences, explanations, substance and variety."""
    return np.array([sum(_signs(text)) for text in check_texts("texts", texts)])


def ask(
    texts: Sequence[str], model: Any, tokenizer: Any, *, tokens: int = 160, batch_size: int = 16
) -> NDArray[np.float64]:
    """Return the mean digit that the model would answer for each text, 0 to 5.

    Args:
        model: a causal language model of `transformers`; tokenizer: its own, with a chat template.
        tokens: of a text that it is shown, the first ones.
        batch_size: texts at once, of like length.

    Raises:
        LabError: no list of texts, or less than one token or text at once.
    """
    import torch

    texts = check_texts("texts", texts)
    check_whole("tokens", tokens)
    check_whole("batch_size", batch_size)
    digits = [tokenizer.encode(digit, add_special_tokens=False)[-1] for digit in _DIGITS]
    prompts = [_prompt(text, tokenizer, tokens) for text in texts]
    order = sorted(range(len(prompts)), key=lambda at: -len(prompts[at]))
    found = np.zeros(len(texts))
    model.eval()
    for start in progress(range(0, len(order), batch_size), desc="annotating", unit="batch"):
        rows = order[start : start + batch_size]
        tokens_BL, mask_BL = _padded([prompts[at] for at in rows], tokenizer.pad_token_id)
        position_BL = (mask_BL.cumsum(-1) - 1).clamp(min=0)
        with torch.inference_mode():
            out = model(tokens_BL, attention_mask=mask_BL, position_ids=position_BL, logits_to_keep=1)
        chances_B6 = torch.softmax(out.logits[:, -1][:, digits].double(), -1)
        found[rows] = (chances_B6 @ torch.arange(6, dtype=torch.float64)).numpy()
    return found


def _signs(text: str) -> tuple[float, ...]:
    words = _WORD.findall(text)
    count, low = max(1, len(words)), text.lower()
    sentences = len(_SENTENCE.findall(text))
    letters = sum(map(len, words)) / max(1, len(text))
    return (
        ramp(len(_FUNCTION_WORD.findall(low)) / count, 0.15, 0.40) * ramp(letters, 0.5, 0.75),
        ramp(sentences / count * 20, 0.2, 0.9) * ramp(count / max(1, sentences), 4, 10),
        ramp(len(_EXPLAINING.findall(text)) / count, 0.0, 0.03),
        ramp(math.log2(1 + len(words)), 5.5, 9.0),
        ramp(len(set(_WORD.findall(low))) / count**0.8, 0.6, 1.6),
    )


def _prompt(text: str, tokenizer: Any, tokens: int) -> list[int]:
    extract = tokenizer.decode(tokenizer.encode(text[: 12 * tokens], add_special_tokens=False)[:tokens])
    chat = [{"role": "user", "content": QUESTION.format(extract=extract)}]
    whole = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    return list(tokenizer.encode(whole, add_special_tokens=False))


def _padded(rows: Sequence[Sequence[int]], pad: int) -> tuple[Any, Any]:
    """Return (tokens, mask), padded on the left."""
    import torch

    longest = max(map(len, rows))
    tokens_BL = torch.tensor([[pad] * (longest - len(row)) + list(row) for row in rows])
    mask_BL = torch.tensor([[0] * (longest - len(row)) + [1] * len(row) for row in rows])
    return tokens_BL, mask_BL
