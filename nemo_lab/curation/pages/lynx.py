"""Pages to text by lynx, with the flags of Nemotron-CC-Math's released pipeline.

`lynx -dump` lays a page out as a reader sees it and knows nothing of the network here: it gets the page on its
standard input, `-localhost` refuses every other host, and the pre-pass has already removed what refers outside.
Time and memory are limited by the kernel. A start of lynx costs about 14 ms, laying out a page of 30 kB about
1 ms, so `render` hands over several pages at once, each behind a line that names it; when anything is wrong with
a batch (time, memory, a line missing) its pages are rendered one by one, so a bad page costs only itself.
"""

import contextlib
import re
import resource
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from nemo_lab.errors import LabError, check_number, check_whole

FLAGS = (
    "-dump",
    "-stdin",
    "-nolist",
    "-width=10000",
    "-assume_charset=utf-8",
    "-display_charset=utf-8",
    "-localhost",
    "-force_html",
)
_ENVIRONMENT = {"HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin", "TERM": "dumb"}


@dataclass(frozen=True)
class Limits:
    """What one run of lynx may use: seconds, and bytes of memory and of output."""

    seconds: float = 20.0
    memory: int = 1 << 30
    output: int = 64 << 20

    def __post_init__(self) -> None:
        """Refuse limits under which nothing runs."""
        check_number("seconds", self.seconds, above=0)
        check_whole("memory", self.memory)
        check_whole("output", self.output)


class RenderError(LabError):
    """A page that lynx could not render within its limits; says why in a few words."""


@cache
def executable() -> str:
    """Return lynx's path.

    Raises:
        LabError: it is not installed.
    """
    found = shutil.which("lynx")
    if found is None:
        raise LabError("lynx is not installed; get it with `apt-get install lynx` or `conda install lynx`.")
    return found


def render(pages: Sequence[str], limits: Limits | None = None) -> list[str | RenderError]:
    """Return each page's text, or why it has none; HTML fragments in, in the same order out."""
    limits = limits or Limits()
    if not pages:
        return []
    if len(pages) > 1:
        with contextlib.suppress(RenderError):
            return list(_split(_run(_joined(pages), limits), len(pages)))
    return [_alone(page, limits) for page in pages]


def _alone(page: str, limits: Limits) -> str | RenderError:
    try:
        return _run(page, limits)
    except RenderError as error:
        return error


def _word(number: int) -> str:
    return f"zqpage{number}zq"


def _joined(pages: Sequence[str]) -> str:
    return "".join(f"<div>{_word(number)}</div>\n<div>{page}</div>\n" for number, page in enumerate(pages))


def _split(text: str, count: int) -> list[str]:
    """Take the batch apart; a name that is missing, doubled or out of order spoils it."""
    parts = re.split(r"^[ ]*zqpage(\d+)zq[ ]*$\n?", text, flags=re.MULTILINE)
    if parts[1::2] != [str(number) for number in range(count)] or "zqpage" in "".join(parts[2::2]):
        raise RenderError("the batch came out in another order")
    return parts[2::2]


def _run(page: str, limits: Limits) -> str:
    """Run lynx on one document.

    Raises:
        RenderError: time, memory or output over the limit, or an exit status other than 0.
    """
    command = [executable(), *FLAGS]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_ENVIRONMENT
    )
    _limit(process.pid, limits)  # before lynx gets the page, which it waits for
    try:
        output, _ = process.communicate(page.encode("utf-8", "replace"), timeout=limits.seconds)
    except subprocess.TimeoutExpired:
        raise RenderError(f"lynx took more than {limits.seconds:g} s") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    if process.returncode != 0:
        raise RenderError(f"lynx ended with status {process.returncode}")
    if len(output) > limits.output:
        raise RenderError(f"lynx wrote more than {limits.output:,} bytes")
    return output.decode("utf-8", "replace")


def _limit(process: int, limits: Limits) -> None:
    """Set the kernel's limits on a process; where there is no prlimit (macOS) only time is limited."""
    if hasattr(resource, "prlimit"):
        with contextlib.suppress(ProcessLookupError):
            resource.prlimit(process, resource.RLIMIT_AS, (limits.memory, limits.memory))
            seconds = max(1, int(limits.seconds) + 1)
            resource.prlimit(process, resource.RLIMIT_CPU, (seconds, seconds))
