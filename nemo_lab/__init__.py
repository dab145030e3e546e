"""Nemo Lab: the Nemotron papers as experiments that run on two CPU cores.

The package follows a corpus on its way to a model: `corpora`, then `modeling` and `training`, then what is
done to data and models. `studies` hold what each notebook runs, and `lab` (scales, claims, runs, report)
stands around them. Importing `nemo_lab` loads none of them, so that it stays fast and touches neither a GPU
nor the network.
"""

__version__ = "0.1.0"
