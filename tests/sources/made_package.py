"""A small package in place of nemo_lab, and cells that reach into it."""

from pathlib import Path

from nemo_lab.sources import Sources

FILES = {
    "__init__.py": "",
    "alone.py": "A = 1\nB = 2\n",
    "lazy/__init__.py": '_HOMES = {"far": "first", "near": ".second"}\n'.replace('".second"', '"second"'),
    "lazy/first.py": "from nemo_lab.alone import A\n\ndef far():\n    return A\n",
    "lazy/second.py": "def near():\n    return 1\n\ndef unused():\n    return 2\n",
    "data/__init__.py": "",
    "data/catalog.py": 'READERS = {"a": "plain:read"}\nPINNED = ["pack"]\nTABLE = open("t.parquet")\n',
    "data/readers/__init__.py": "",
    "data/readers/plain.py": "def read():\n    return 1\n",
    "data/packages.toml": '[[package]]\nname = "pack"\nsha = "1"\n\n[[package]]\nname = "other"\nsha = "1"\n',
    "data/t.parquet": "bytes",
    "started.py": 'def main():\n    work()\n\ndef work():\n    return 1\n\nif __name__ == "__main__":\n    main()\n',
    "starter.py": 'import sys\nCOMMAND = [sys.executable, "-m", "nemo_lab.started"]\n',
    "methods.py": (
        "import math\nimport numpy as np\n"
        "class Base:\n    size = 1\n    def step(self):\n        return helper(self.size)\n\n"
        "class Model(Base):\n    width: int = 3\n\n"
        "def helper(x):\n    'Says nothing.'\n    return np.exp(x) + math.pi\n\n"
        "def shadowed(helper):\n    return helper(1)\n\n"
        "def even(n):\n    return n == 0 or odd(n - 1)\n\ndef odd(n):\n    return n != 0 and even(n - 1)\n\n"
        "REGISTRY = {}\nREGISTRY['x'] = helper\n"
    ),
}


def edit(root: Path, name: str, old: str, new: str) -> None:
    path = root / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def digest(root: Path, *cells: str) -> str:
    return Sources(root).digest_of_cells(cells)


LAZY = "from nemo_lab import lazy\nlazy.far()"
STARTER = "from nemo_lab.starter import COMMAND\nCOMMAND"
CATALOG = "from nemo_lab.data import catalog\ncatalog.READERS"
MODEL = "from nemo_lab.methods import Model\nModel().step()"
