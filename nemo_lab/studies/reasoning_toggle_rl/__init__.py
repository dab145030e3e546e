"""The study of notebook 09: a reasoning toggle by tuning on a teacher who errs, then GRPO beyond it."""
