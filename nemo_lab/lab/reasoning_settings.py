"""The numbers behind the notebooks on reasoning, 09 to 11; `settings` says how such a file is read."""

from collections.abc import Mapping
from typing import Any

REASONING: Mapping[str, Mapping[str, Any]] = {}
