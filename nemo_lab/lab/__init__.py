"""What makes it a lab: scales, claims, artifacts, records, figures.

Notebooks need two names, `start` and `show_source`; everything else hangs on the `Lab` that `start`
returns. The names are looked up when first used, because corpora and mixing import a small module
of this folder (`artifacts`) and must not pay for matplotlib and pandas.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nemo_lab.lab.session import Lab, show_source, start

__all__ = ["Lab", "show_source", "start"]

_HOMES = {"Lab": "session", "show_source": "session", "start": "session"}


def __getattr__(name: str) -> Any:
    """Import the module that holds `name` on its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
