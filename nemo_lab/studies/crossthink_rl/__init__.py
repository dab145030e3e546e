"""The study of notebook 10: one start, many blends, formats and filters of questions for RL."""
