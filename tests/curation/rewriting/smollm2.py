"""SmolLM2 behind a server, in a process of its own."""

import subprocess
import sys
from pathlib import Path


class SmolLM2:
    """A process that serves the model, and its address."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.curation.serve_smollm2"]
        self.process = subprocess.Popen(command, cwd=Path(__file__).parents[3], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/v1"

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=300)
