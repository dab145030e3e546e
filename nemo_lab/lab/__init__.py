"""What makes it a lab: scales, claims, runs, figures and the report.

Notebooks need two names, `start` and `show_source`; everything else hangs on the `Lab` that `start`
returns. The names are looked up when first used: a command that runs nothing must not pay for matplotlib and
pandas. Nothing of the package but the command line imports this folder.
"""

from typing import TYPE_CHECKING

from nemo_lab.lazy import attach

if TYPE_CHECKING:
    from nemo_lab.lab.session import Lab, show_source, start

__all__ = ["Lab", "show_source", "start"]

_HOMES = {"Lab": "session", "show_source": "session", "start": "session"}
__getattr__, __dir__ = attach(__name__, _HOMES)
