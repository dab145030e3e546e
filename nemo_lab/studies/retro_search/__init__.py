"""The study of notebook 11: traces with needless switches, revised by the model and by a smaller one."""
