"""One folder a notebook: its settings, its runs, its tables, and what its paper published.

The study of `notebooks/NN_name.ipynb` is `nemo_lab.studies.name`: found without a table. Studies use methods;
no method uses a study, and no study another one. `registry` gives a study's settings by name.
"""
