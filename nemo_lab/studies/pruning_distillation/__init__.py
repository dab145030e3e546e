"""The study of notebook 07: one parent, pruned along every axis and distilled."""
