"""The one kind of error that the lab raises for a user's mistake, and the sentence that refuses a name."""

from collections.abc import Sequence
from difflib import get_close_matches


class LabError(ValueError):
    """A mistake the reader can mend: one sentence naming the value, what was expected and what to do."""


def one_of(kind: str, value: str, known: Sequence[str]) -> str:
    """Return the sentence that refuses `value`: what it is, the nearest valid name, and all valid names."""
    near = get_close_matches(str(value), known, n=1)
    hint = f", did you mean {near[0]!r}" if near else ""
    return f"Unknown {kind} {value!r}{hint}; valid: {', '.join(known) or 'none'}."
