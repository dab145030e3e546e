"""The study of notebook 00: a tiny model, trained and sampled live."""
