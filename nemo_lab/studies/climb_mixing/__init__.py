"""The study of notebook 03: ways to search for a mixture, at the same number of proxies."""
