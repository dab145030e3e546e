"""The numbers behind notebook 06, FP8 pretraining; `settings` says how such a file is read."""

from collections.abc import Mapping
from typing import Any

SETTINGS: Mapping[str, Mapping[str, Any]] = {}
