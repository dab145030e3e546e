"""The study of notebook 05: hybrids, Transformers and pure Mamba of equal size, and what they recall."""
