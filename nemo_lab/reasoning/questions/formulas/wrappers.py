r"""What stands around an answer and is no part of it: boxes, marks of Markdown and of mathematics, a lead-in.

    unwrapped(r"The answer is **\$1,800**.")            # \$1,800
    unwrapped(r"So $x=\boxed{5}$.")                     # 5
    unwrapped("Thus the number of residents is **73**.")  # 73
    unwrapped(r"\boxed{5}+100")                         # the whole: the box holds a fragment of the formula

Whatever is taken off stood around the whole answer. A box counts alone, as in every benchmark, unless the formula
goes on outside of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

ROUNDS = 12  # wrappers within wrappers
_LEAD = re.compile(r"(?i)\banswer\b[*_\s]*(?:is\b|[:=]|(?=[$\\]))[*_\s:]*|答案[*\s]*[是为:：][*\s]*")
_MARKED = re.compile(r"(?s)(?:.*\n)?\s*####\s*(\S[^\n]*)")  # the last line of solutions of GSM8K
_TAIL = re.compile(r"(?is)[.\s]*\bI hope (?:it|this) is correct.*$")
_NESTED = r"((?:[^{}]|\{[^{}]*\})*)"
_DISPLAYS = "equation|align|aligned|gather|gathered|split|displaymath|math"
_AROUND = [
    re.compile(r"```(?:\w+\n)?(.*?)```|`([^`]*)`", re.DOTALL),
    re.compile(r"\$\$([^$]*)\$\$|\$((?:[^$\\]|\\.)*)\$", re.DOTALL),
    re.compile(r"\\\[((?:(?!\\\]).)*)\\\]|\\\(((?:(?!\\\)).)*)\\\)", re.DOTALL),
    re.compile(rf"\\begin\{{((?:{_DISPLAYS})\*?)\}}(.*)\\end\{{\1\}}", re.DOTALL),
    re.compile(r"\{\s*\\(?:displaystyle|rm|bf)\b(.*)\}", re.DOTALL),
    re.compile(r"\\(?:displaystyle|textstyle)\b(.*)", re.DOTALL),
    re.compile(rf"\\(?:boldsymbol|mathbf|bm|underline)\s*\{{{_NESTED}\}}"),
    re.compile(r"\*([^*]+)\*|__([^_]+)__"),
    re.compile(r"\"([^\"]*)\"|'([^']*)'"),
]
_INLINE = re.compile(r"(?<!\\)\$(?!\s)((?:[^$\\]|\\.)+?)(?<![\s\\])\$(?!\d)|\\\(((?:(?!\\\)).)*)\\\)", re.DOTALL)
_BOX = re.compile(r"\\(?:boxed|fbox)\s*(?:\{|(?=[^\s{]))")
_GAP = r"(?:[\s$,]|\\q?quad\b|\\[,;:! ()\[\]])*"
_BETWEEN_BOXES = re.compile(rf"{_GAP}(?:and|or|\\text\{{\s*(?:and|or)\s*\}})?{_GAP}")
_LARGER = r"(?:\\(?:text|mathrm)\{\s*)?(?:hundred|thousand|million|billion|trillion|dozen)\b"
_LAYOUT = "text|mathrm|mbox|quad|qquad|end|hfill|par|blacksquare|square|tag|p?mod|bmod"
_GOES_ON = re.compile(rf"[0-9A-Za-z(]|[\s$]*(?:[-+/^_!|]|\*(?!\*)|{_LARGER}|\\(?!{_LAYOUT})[A-Za-z])")
_UNIT_AFTER = re.compile(r"[\s$]*(?:\\?%|percent\b|pct\b|\^\s*(?:\{\s*\\circ\s*\}|\\circ)|°)")
_LEADS_ON = re.compile(
    r"(?:[-+/^_|]|(?<!\\)\(|(?<!\*)\*|\\(?:cdot|times|div))\s*\$?\s*$|[0-9)}]$|(?<![A-Za-z])[A-Za-z]$"
    r"|(?:[\^_}\]]|\\(?:[dt]?frac|sqrt|binom))\s*\{\s*$"  # within a fraction, a root, an exponent
)
_WORDS_BEFORE = re.compile(r"\\text(?:bf|rm|it)?\s*\{[^{}]*\}\s*$")

_PROSE = r"[^$\\\d=<>*]*"
_TOLD = re.compile(  # a sentence without figures, and one formula or bold number in it
    rf"(?={_PROSE}[A-Za-z]{{2}})(?P<before>{_PROSE}\s)"
    r"(?:\$\$?\s*([^$]+?)\s*\$?\$|\\\(((?:(?!\\[()]).)+)\\\)|\\\[((?:(?!\\[\[\]]).)+)\\\]|\*\*([^*]+)\*\*)"
    rf"(?P<after>{_PROSE})",
    re.DOTALL,
)
_NEGATED = re.compile(
    rf"(?i)\b(?:not?|never|cannot|n't|wrong|incorrect|except|or|nor|less|more|than|least|most|about|if|{_LARGER}|but"
    r"|factorial|squared|cubed|times|choose|modulo|approximately|roughly|nearly|almost|between)\b|n't"
)
_TELLS = re.compile(  # the word before the formula; after others, as in half of 10, the formula is a part of the answer
    r"(?i)(?:[:,]|\b(?:is|are|was|were|be|equals?|gives?|gets?|have|has|obtain|find|yields?|becomes?|takes?|therefore|thus"
    r"|so|hence|answer|solution|(?:equal|amounts?|simplif(?:y|ies)|reduces?|comes?) to|(?:total|value) of))"
    r"(?:\s+(?:exactly|just|only|simply))?[\s:*]*\Z"
)


def unwrapped(text: str) -> str:
    """Return the answer without what is wrapped around it; one without wrappers comes back stripped."""
    text = _boxed(text.strip())
    marked = _MARKED.fullmatch(text)
    text = marked[1] if marked else text
    leads = list(_LEAD.finditer(text)) if "answer" in text.lower() or "答案" in text else []
    if leads:
        text = _first_line(_TAIL.sub("", text[leads[-1].end() :]))
    told = _TOLD.fullmatch(text)
    if told and _TELLS.search(told["before"]) and not _NEGATED.search(f"{told['before']} {told['after']}"):
        text = next(filter(None, told.groups()[1:-1]))
    for _ in range(ROUNDS):
        before, text = text, _boxed(_bare(text))
        if text == before:
            break
    return _INLINE.sub(lambda match: f" {match[1] or match[2]} ", text).strip()


def _bare(text: str) -> str:
    """Return the text without its outermost wrapper."""
    text = _without_stars(text.strip())
    for pattern in _AROUND:
        match = pattern.fullmatch(text)
        if match:
            return next(group for group in reversed(match.groups()) if group is not None)
    return _unpunctuated(text)


def _without_stars(text: str) -> str:
    """Return the text without bold marks at its ends; `**` between two terms is a power and stays."""
    return text.removeprefix("**").removesuffix("**").strip()


def _unpunctuated(text: str) -> str:
    """Return the text without the sign that ends a sentence; dots that go on stay."""
    if text.endswith((",", ";", ":", "。", "，", "；")) or (text.endswith(".") and not text.endswith("..")):
        return text[:-1].removesuffix("\\") if not text.endswith(("\\,", "\\;", "\\:")) else text[:-2]
    return text


def _first_line(text: str) -> str:
    """Return the first line that says something, or all, where a formula has several."""
    lines = [line for line in text.strip().split("\n") if line.strip(" *_$")]
    return lines[0] if lines and not re.match(r"\s*(?:\$\$|\\\[|\\begin|```)", text) else text


# --- boxes


def _boxed(text: str) -> str:
    """Return what the last box holds, or the last boxes in a row as a list, or the text."""
    boxes = list(_boxes(text))
    if not boxes or (_GOES_ON.match(text[boxes[-1][1] :]) and not _UNIT_AFTER.match(text[boxes[-1][1] :])):
        return text
    first = len(boxes) - 1
    while first and _BETWEEN_BOXES.fullmatch(text[boxes[first - 1][1] : boxes[first][0]]):
        first -= 1
    if _LEADS_ON.search(_WORDS_BEFORE.sub("", text[: boxes[first][0]])):
        return text
    unit = _UNIT_AFTER.match(text[boxes[-1][1] :])
    return ", ".join(inside for _, _, inside in boxes[first:]) + (unit[0].strip(" $") if unit else "")


def _boxes(text: str) -> Iterator[tuple[int, int, str]]:
    """Yield the boxes that stand in no other."""
    end = 0
    for match in _BOX.finditer(text):
        box = _box(text, match) if match.start() >= end else None
        if box:
            end = box[1]
            yield box


def _box(text: str, match: re.Match[str]) -> tuple[int, int, str] | None:
    """Return where a box begins, where it ends and what it holds; none where it does not end."""
    if not match[0].endswith("{"):
        return match.start(), match.end() + 1, text[match.end()]
    depth = 1
    for brace in re.finditer(r"\\.|[{}]", text[match.end() :], re.DOTALL):
        depth += (brace[0] == "{") - (brace[0] == "}")
        if not depth:
            end = match.end() + brace.start()
            return match.start(), end + 1, text[match.end() : end]
    return None
