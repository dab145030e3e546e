"""The study of notebook 02: a pool of web pages, its filters and rephrasings, and what they were worth."""
