"""The study of notebook 08: an architecture search on a small chat model, job by job."""
