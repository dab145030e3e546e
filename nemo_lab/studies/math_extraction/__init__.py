"""The study of notebook 01: extractors on pages whose formulas and text are known."""
