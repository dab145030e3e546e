"""What a model is asked and what it should write; which items may be learned from; what an answer is worth.

Two modes, after Llama-Nemotron (arXiv 2505.00949, section 3): a token before the question says whether to think.
Two templates, after CrossThink (arXiv 2504.13941): open, the question alone, or choice, with lettered options.

    prompt                                   response with thinking on          off
    <on>347+586=                             <think>13,13,09</think>933         933
    <on>347+586(A)923(B)933(C)934(D)932=     <think>13,13,09</think>B           B

The end token is the engine's. Chat models are told the mode by the system prompts `SYSTEM_ON` and `SYSTEM_OFF`.

Reward (the paper's section 5; as a product in NeMo-Aligner's code): correctness times format. The format is right
when the tags are as the mode asks: on, exactly one opening tag, at the start, and one closing tag after it; off,
none. An answer that did not end by itself gets 0, its format is not looked at.

Filters (CrossThink, as summarised): a choice item's gold answer must be among its options, an open answer has
at most ten words, no answer is empty, and what cannot be verified by rule goes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nemo_lab.errors import LabError, check_each, check_instance, check_number, one_of
from nemo_lab.reasoning.questions.checking import as_number, plain, same_answer
from nemo_lab.reasoning.questions.domains import DOMAINS
from nemo_lab.reasoning.questions.items import Item

THINK, END_THINK = "<think>", "</think>"
ON, OFF = "<on>", "<off>"
SYSTEM_ON, SYSTEM_OFF = "detailed thinking on", "detailed thinking off"
MODES = ("on", "off")
TEMPLATES = ("open", "choice")
COMBINATIONS = ("product", "sum", "accuracy")
LETTERS = "ABCDEFGHIJ"
MAX_WORDS = 10  # of an open answer
VISIBLE = ("empty", "long", "unverifiable")  # wrong gold answers that the filters see; of choices all are foreign
_FORMULA = re.compile(r"[\\$^√∞≤≥±×÷°π²³½¼¾=]|\*\*|sqrt\(|\d\s*%|\d[eE][+-]?\d")
_NEEDS_OPTIONS = re.compile(
    r"\b(?:which|what)\b.{0,40}\bof\s+(?:the\s+)?(?:followings?|these|those|below|above)\b"
    r"|\b(?:all|none|both|any|each|neither|one|two)\s+of\s+(?:the\s+)?(?:above|below|followings?|these|options)\b"
    r"|\bthe\s+followings?\s+(?:\w+\s+)?(?:is|are|was|were|has|have|does|do|can|could|would|will|best|most)\b"
    r"|\b(?:which|what|correct|best|right|wrong|false|true|incorrect)\s+(?:option|choice|statement|alternative)s?\b"
    r"|\b(?:choose|select|pick|mark|tick)\s+(?:the|an?|one|two|from|all)\b"
    r"|\boptions?\s+\(?[A-E]\b|\([A-E]\).*\([A-E]\)|\bexcept\s*[:?.]?\s*$"
    r"|\bbest\s+(?:answers?|describes?|completes?|explains?|summari[sz]es?)\b"
    r"|(?<!equal to )(?<!equals )(?<!_)_{2,}|\.{4,}|\b(?:are|include|includes|because|that|when)\s*:?\s*$",
    re.IGNORECASE | re.DOTALL,
)
_UNVERIFIABLE = re.compile(
    r"(?:answers?|results?|opinions?)\s+(?:may|will|can)\s+vary|(?:it|that)\s+depends\b.*|see\s+\w+|n/?a|unknown|proof"
    r"|none\s+of\s+the\s+above|all\s+of\s+the\s+above|both\s+of\s+(?:the\s+)?(?:above|these)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Parsed:
    """A response in parts: `mode` is on, off or broken; a broken one's answer is what follows its last tag."""

    mode: str
    thought: str
    answer: str


# --- templates


def prompt_of(item: Item, mode: str, template: str = "open") -> str:
    """Return the prompt: the mode's token, the question, for choice its lettered options, and `=`.

    Raises:
        LabError: no item, an unknown mode or template, or choice without options.
    """
    _known(mode, template)
    _is_item(item)
    return f"{ON if mode == 'on' else OFF}{item.question}{_options(item) if template == 'choice' else ''}="


def response_of(item: Item, mode: str, template: str = "open") -> str:
    """Return the right response: the thought between its tags when the mode is on, and the answer or its letter.

    Raises:
        LabError: as `prompt_of`, or choice with a gold answer that is not an option.
    """
    _known(mode, template)
    _is_item(item)
    answer = gold_letter(item) if template == "choice" else item.answer
    return f"{THINK}{item.thought}{END_THINK}{answer}" if mode == "on" else answer


def gold_letter(item: Item) -> str:
    """Return the letter of the right option.

    Raises:
        LabError: no item, the gold answer is not among the options, or they are too many for letters.
    """
    _is_item(item)
    if item.answer not in item.options:
        raise LabError(f"The answer {item.answer!r} is not among the options {list(item.options)}.")
    place = item.options.index(item.answer)
    if place >= len(LETTERS):
        raise LabError(f"{item.question[:60]!r} has {len(item.options)} options; there are {len(LETTERS)} letters.")
    return LETTERS[place]


def parse(text: str) -> Parsed:
    """Return a response in its parts; any text is one.

    Raises:
        LabError: it is no text.
    """
    check_instance("text", text, str, "give the text of a response")
    opened, closed = text.count(THINK), text.count(END_THINK)
    if not opened and not closed:
        return Parsed("off", "", text)
    if opened == closed == 1 and text.startswith(THINK):
        thought, _, answer = text.removeprefix(THINK).partition(END_THINK)
        return Parsed("on", thought, answer)
    return Parsed("broken", "", text.rpartition(END_THINK)[2] if closed else "")


def as_choice(item: Item, rng: np.random.Generator) -> Item:
    """Return the item with four options in random order, the right answer among them.

    The wrong ones come from the item's own options where it has some, else from its domain.

    Raises:
        LabError: the item has fewer than three wrong options, and it is of no domain, or its gold answer is none
            of that domain, so that they cannot be made; or what is no item, no generator.
    """
    _is_item(item)
    check_instance("rng", rng, np.random.Generator, "give numpy.random.default_rng(...)")
    others = list(dict.fromkeys(option for option in item.options if option != item.answer))
    if len(others) >= 3:
        others = [others[k] for k in rng.permutation(len(others))[:3]]
    elif item.domain in DOMAINS and is_right(item, item.answer):
        others = list(DOMAINS[item.domain].distractors(item, rng))
    else:
        raise LabError(f"{item.question[:60]!r} of {item.domain!r} has no three wrong options to choose among.")
    four = [item.answer, *others]
    return replace(item, options=tuple(four[k] for k in rng.permutation(4)))


def as_open(item: Item) -> Item | None:
    """Return the item without its options, or None when it could not be answered without them."""
    _is_item(item)
    return None if needs_options(item.question) else replace(item, options=())


def needs_options(question: str) -> bool:
    """Return whether a question is ill-posed without its options, by its wording.

    It looks for: which of the following (these, those), all or none of the above, the following is, which or
    the correct statement (option, choice), choose the, options by letter, except at the end, best describes,
    blanks that are not the value of a formula, sentences that stop at are, include, because, that. It reads
    English only and misses superlatives among unnamed things ('the most likely cause') and sentences that stop
    elsewhere; recall and precision are in the tests.
    """
    check_instance("question", question, str, "give the text of a question")
    return bool(_NEEDS_OPTIONS.search(question[:4000]))


def items_from(dataset: Iterable[Mapping[str, Any]]) -> list[Item]:
    """Return the rows of a question set (`corpora.questions`) as items; the set's name is their domain.

    Raises:
        LabError: no rows, or one that lacks a column or an answer.
    """
    check_instance("dataset", dataset, Iterable, "give the rows of a question set")
    try:
        return [Item(r["domain"], r["question"], r["answer"], options=tuple(r["options"] or ())) for r in dataset]
    except KeyError as error:
        raise LabError(f"A row has no {error}; expected domain, question, answer and options.") from error


# --- filters


def filter_reasons(item: Item) -> list[str]:
    """Return why an item should not be learned from, none for a good one."""
    _is_item(item)
    reasons = {
        "empty answer": not item.answer.strip(),
        "gold not among options": bool(item.options) and item.answer not in item.options,
        "open answer over 10 words": not item.options and len(item.answer.split()) > MAX_WORDS,
        "ill-posed without options": not item.options and item.domain not in DOMAINS and needs_options(item.question),
        "unverifiable": bool(item.answer.strip()) and not _verifiable(item),
    }
    return [reason for reason, holds in reasons.items() if holds]


def _verifiable(item: Item) -> bool:
    """A rule can recognise the gold answer: its own checker accepts it, and it says something."""
    if item.options:
        return True  # a letter is compared
    return not _UNVERIFIABLE.fullmatch(item.answer.strip(" .")) and is_right(item, item.answer)


def keep(items: Sequence[Item]) -> tuple[list[Item], dict[str, int]]:
    """Return the items without a reason to drop them, and how many each reason concerns."""
    check_each("items", items, Item)
    reasons = [filter_reasons(item) for item in items]
    kept = [item for item, why in zip(items, reasons, strict=True) if not why]
    return kept, dict(Counter(reason for why in reasons for reason in why))


def corrupt(items: Sequence[Item], share: float, rng: np.random.Generator, *, visible: float = 0.5) -> list[Item]:
    """Return the items, in their order, a share of them with a wrong gold answer.

    Two kinds. The filters see an empty answer, one of over ten words, one that says it depends, and, of a choice
    item, one that is no option. They cannot see a wrong answer that looks like a right one: another option, a
    distractor of the domain, or, for open items from elsewhere, the answer to another question.

    Args:
        items: with right answers.
        share: of the items that get a wrong answer, rounded to whole items.
        rng: decides which and how.
        visible: share of the wrong answers that the filters can see.

    Raises:
        LabError: shares that are none, something else than items, or no wrong answer at hand.
    """
    check_each("items", items, Item)
    check_number("share", share, least=0, most=1)
    check_number("visible", visible, least=0, most=1)
    wrong = round(share * len(items))
    seen = round(visible * wrong)
    found = list(items)
    for place, index in enumerate(rng.permutation(len(items))[:wrong]):
        item = items[index]
        found[index] = _visibly_wrong(item, rng) if place < seen else _plausibly_wrong(item, items, rng)
    return found


def _visibly_wrong(item: Item, rng: np.random.Generator) -> Item:
    text = {"empty": "", "long": "this " * MAX_WORDS + item.answer, "unverifiable": "it depends"}
    return replace(item, answer=text[VISIBLE[int(rng.integers(len(VISIBLE)))]])


def _plausibly_wrong(item: Item, items: Sequence[Item], rng: np.random.Generator) -> Item:
    others: Sequence[str] = item.options
    if not others:
        known = item.domain in DOMAINS
        others = as_choice(item, rng).options if known else [other.answer for other in items]
    others = [other for other in others if other != item.answer]
    if not others:
        raise LabError(f"No wrong answer is at hand for {item.question[:60]!r}.")
    return replace(item, answer=others[int(rng.integers(len(others)))])


# --- rewards


def adheres(text: str, mode: str) -> bool:
    """Return whether a response has the tags that the mode asks for; an empty thought is a thought."""
    _known(mode)
    return parse(text).mode == mode


def is_right(item: Item, answer: str, template: str = "open") -> bool:
    """Return whether an answer is right: by the domain's checker, else as number, formula or text.

    In choice it is the letter of the right option, with or without brackets around it.

    Raises:
        LabError: no item, or an answer that is no text.
    """
    _is_item(item)
    check_instance("answer", answer, str, "give the text of an answer")
    if template == "choice":
        return item.answer in item.options and answer.strip() in (gold_letter(item), f"({gold_letter(item)})")
    if item.domain in DOMAINS:
        return DOMAINS[item.domain].check(answer, item)
    if as_number(item.answer) is not None:
        return same_answer(item.answer, answer, kind="number")
    kind = "math" if _FORMULA.search(item.answer) else "exact"
    return plain(answer) != "" and same_answer(item.answer, answer, kind=kind)


def reward(item: Item, text: str, *, ended: bool, mode: str, template: str = "open", combine: str = "product") -> float:
    """Return what a response is worth, from 0 to 1.

    Args:
        item: with the right answer.
        text: the response without its end token.
        ended: whether the model ended it; if not, the reward is 0.
        mode: on or off, what the prompt asked for.
        template: open or choice.
        combine: product (right and in form), sum (the mean of both, which pays 0.5 for form alone), accuracy
            (form does not count).

    Raises:
        LabError: an unknown mode, template or combination.
    """
    _known(mode, template)
    if combine not in COMBINATIONS:
        raise LabError(one_of("combination", combine, COMBINATIONS))
    if not ended:
        return 0.0
    right, in_form = float(is_right(item, parse(text).answer, template)), float(adheres(text, mode))
    return {"product": right * in_form, "sum": (right + in_form) / 2, "accuracy": right}[combine]


def _known(mode: str, template: str = "open") -> None:
    if mode not in MODES:
        raise LabError(one_of("mode", mode, MODES))
    if template not in TEMPLATES:
        raise LabError(one_of("template", template, TEMPLATES))


def _is_item(item: object) -> None:
    check_instance("item", item, Item, "give an Item, such as items.draw makes")


def _options(item: Item) -> str:
    if not 2 <= len(item.options) <= len(LETTERS):
        raise LabError(f"{item.question[:60]!r} has {len(item.options)} options; a choice has 2 to {len(LETTERS)}.")
    return "".join(f"({letter}){option}" for letter, option in zip(LETTERS, item.options, strict=False))
