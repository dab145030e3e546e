"""CLIMB and two-phase pretraining: what to mix, in which shares, and when.

    pools       rows of tokens by source or cluster, and batches drawn from them in given shares
    embedding   documents to vectors
    clusters    k-means, quality pruning, merging; a map that people can read
    samplers    random mixtures on the simplex
    predictors  from a mixture to its score: LightGBM, ridge, Gaussian process
    proxies     small models trained on a mixture, side by side, resumable
    search      CLIMB's iterations; RegMix and random search as special cases
    doremi      DoReMi's weights, a baseline that knows no target
    blends      sources, phases, epochs: the two-phase schedule and its controls
    published   the blends that the papers print, as data
"""
