"""Nemo Lab: the Nemotron papers as experiments that run on two CPU cores.

The package follows a corpus on its way to a model: `corpora`, then `modeling` and `training`,
with `lab` (scales, claims, artifacts, runs, report) around them. Importing `nemo_lab` loads none of
them, so that it stays fast and touches neither a GPU nor the network.
"""

__version__ = "0.1.0"
