"""CLIMB and two-phase pretraining: what to mix, in which shares, and when.

pools        rows of tokens by source or cluster, and batches drawn from them in given shares

embedding    documents to vectors
clusters     k-means cells, merged to clusters
pruning      clusters of low quality dropped
cluster_map  a table and a map that people can read
samplers     random mixtures on the simplex
predictors   from a mixture to its score: LightGBM, ridge, Gaussian process
proxies      small models trained on a mixture, side by side, resumable
search       CLIMB's rounds
doremi       DoReMi's weights, a baseline that knows no target
climbmix     documents in the shares that were found, as a dataset with a card
request      what is asked for, refused in time
pipeline     all of it in one call

blends       the two-phase schedule and its controls
weights      from quality and epochs to a blend
horizons     pools down-sampled so that a short run sees the epochs of a long one
published    the blends that the papers print, and a planner of tokens and epochs
"""

from nemo_lab.lazy import attach

_HOMES = {
    "BlendSchedule": "blends",
    "Source": "weights",
    "design": "blends",
    "make_climbmix": "pipeline",
    "pools_by": "pools",
    "sources_of": "weights",
    "write_climbmix": "climbmix",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = attach(__name__, _HOMES)
