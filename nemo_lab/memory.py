"""The most memory that a process has held.

`getrusage` is not that number on Linux: a process begins with the peak of the one that started it, so a child of 20 MB
reports the 900 MB of its parent. `VmHWM` in /proc begins anew when a program starts. Elsewhere `getrusage` is what
there is.
"""

import re
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_mb(children: bool = False) -> float:
    """Return the most memory, in MB of 10^6 bytes, that this process has held so far.

    Args:
        children: or one of its children that have ended, whichever is more; never their sum. (That they begin with
            this process's peak cannot be seen in the larger of the two.)
    """
    own = _high_water_mb()
    if own is None:
        own = _usage_mb(resource.RUSAGE_SELF)
    return max(own, _usage_mb(resource.RUSAGE_CHILDREN)) if children else own


def _high_water_mb() -> float | None:
    """What Linux says in /proc, None where it says nothing."""
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", _STATUS.read_text(encoding="utf-8"), re.MULTILINE)
    except OSError:
        return None
    return int(found[1]) * 1024 / 1e6 if found else None


def _usage_mb(who: int) -> float:
    peak = resource.getrusage(who).ru_maxrss  # bytes on macOS, else KiB
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6
