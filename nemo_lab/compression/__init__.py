"""Smaller, faster models from a trained one: importance, slicing, distillation, architecture search, budgets."""
