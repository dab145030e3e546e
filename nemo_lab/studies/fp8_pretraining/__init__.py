"""The study of notebook 06: models trained under FP8 recipes and in BF16."""
