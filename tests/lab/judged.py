"""A session whose claims have all been judged."""

from nemo_lab.lab.session import start

NOTEBOOK = "05_hybrid_architecture"
CONTROLS = {
    "nemotron-h.accuracy": [1.0, 1.1, 1.2],
    "nemotron-h.throughput": [1.0] * 3,
    "nemotron-h.constant": [64.0],
}
SAMPLES = {
    "nemotron-h.accuracy": [0.0, 0.001, 0.002],
    "nemotron-h.throughput": [3.0, 3.1, 3.2],
    "nemotron-h.constant": [1],
}


def judged(**options):
    lab = start(NOTEBOOK, **options)
    for name, samples in SAMPLES.items():
        lab.claim(name, samples, control=CONTROLS[name], note="a note")
    return lab
