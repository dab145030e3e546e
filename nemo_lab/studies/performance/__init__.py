"""The study of notebook 90: this machine's limits, and ours against other implementations."""
