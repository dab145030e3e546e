"""One hybrid language model for every notebook: Mamba-2, attention and feed-forward layers."""

from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.model import HybridLM

__all__ = ["HybridConfig", "HybridLM"]
