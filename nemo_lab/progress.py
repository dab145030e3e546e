"""Progress bars for people who watch, silence for machines that store.

A bar belongs on a terminal and in a live notebook. Papermill, nbval and CI execute the same cells with
nobody watching and keep every byte that is written, so there the bars stay away. A live notebook is told
from a batch run by what its front end sets: Jupyter Server starts a session's kernel with
`JPY_SESSION_NAME` (papermill and nbval start kernels without a server), VS Code and Colab leave their own
marks. `NEMO_LAB_PROGRESS=0` or `=1` overrides the guess.

Other libraries do not ask who watches; `quiet` keeps theirs away.
"""

import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any

_FRONT_ENDS = ("JPY_SESSION_NAME", "VSCODE_PID", "COLAB_RELEASE_TAG")


def watched() -> bool:
    """Return whether somebody watches: a terminal on stderr, or a notebook open in a front end."""
    forced = os.environ.get("NEMO_LAB_PROGRESS", "").strip()
    if forced in ("0", "1"):
        return forced == "1"
    if os.environ.get("CI"):
        return False
    return _live_notebook() or bool(getattr(sys.stderr, "isatty", bool)())


def _live_notebook() -> bool:
    """Return whether this process is a kernel that a notebook front end started."""
    return "ipykernel" in sys.modules and any(os.environ.get(name) for name in _FRONT_ENDS)


def progress(
    iterable: Iterable[Any] | None = None, *, total: float | None = None, desc: str = "", unit: str = "it"
) -> Any:
    """Wrap `iterable` in a progress bar, or return a bar to `update` by hand.

    The result is a tqdm object: iterate over it, or use it as a context manager with `update(n)` and
    `set_postfix(...)`. It removes itself when done and is inert where nobody watches.
    """
    return _bar()(iterable, total=total, desc=desc, unit=unit, leave=False, disable=not watched())


def _bar() -> Any:
    """Return tqdm's class for this place: a widget in a live notebook, text elsewhere."""
    if _live_notebook() and watched():
        from tqdm.notebook import tqdm
    else:
        from tqdm import tqdm
    return tqdm


@contextmanager
def announce(text: str) -> Iterator[None]:
    """Show one line, such as `building tokenizer …`, for as long as the block runs."""
    with _bar()(desc=text, bar_format="{desc}", leave=False, disable=not watched()):
        yield


@contextmanager
def quiet(*, remarks: bool = False) -> Iterator[None]:
    """Silence the bars of Hugging Face's libraries in the block, and put them back as they were.

    Bars stay in a notebook's stored output. One of them heeds no setting and writes to stderr, which is therefore
    taken away from all that the block runs.

    Args:
        remarks: silence too what `transformers` logs below an error. It tells there of weights that a file lacks, so
            only where the caller looks at that itself.
    """
    from huggingface_hub import utils as hub
    from transformers.utils import logging

    shown, fetched = logging.is_progress_bar_enabled(), not hub.are_progress_bars_disabled()
    level = logging.get_verbosity()
    logging.disable_progress_bar()
    hub.disable_progress_bars()
    if remarks:
        logging.set_verbosity_error()
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logging.set_verbosity(level)
        if shown:
            logging.enable_progress_bar()
        if fetched:
            hub.enable_progress_bars()
