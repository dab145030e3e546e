"""Three sources that differ in what they teach, and proxies that train on them in a tenth of a second.

`up` counts up, `down` counts down, `noise` teaches nothing. The held-out set counts up: its loss is a known
order of the sources, so that a search has something to find.
"""

import numpy as np

from nemo_lab.mixing.pools import Pools
from nemo_lab.mixing.proxies import ProxyPlan, held_out_from
from nemo_lab.modeling import HybridConfig
from nemo_lab.training import TrainSettings, pack

LETTERS = "abcdefghijklmnopqrstuvwxyz"
LENGTH = 16
CONFIG = HybridConfig(
    pattern="*-",
    vocab_size=28,
    d_model=16,
    d_ff=32,
    n_heads=1,
    n_kv_heads=1,
    head_dim=16,
    rope_theta=100.0,
    init_std=0.1,
)
SETTINGS = TrainSettings(steps=12, batch_size=8, peak_lr=0.03, precision="fp32")


class LetterTokenizer:
    """One token a letter, 0 for the end of text: what `bits_per_byte` asks of a tokenizer."""

    def token_to_id(self, token):
        return 0 if token == "<|endoftext|>" else None

    def encode_batch(self, texts, add_special_tokens=False):
        return [_Encoding([LETTERS.index(letter) + 2 for letter in text]) for text in texts]

    def to_str(self):
        return LETTERS


class _Encoding:
    def __init__(self, ids):
        self.ids = ids


def texts(source, count=20, seed=0):
    random = np.random.default_rng(seed)
    step = {"up": 1, "down": -1}.get(source)
    starts = random.integers(26, size=count)
    rows = [(start + step * np.arange(30)) % 26 if step else random.integers(26, size=30) for start in starts]
    return ["".join(LETTERS[i] for i in row) for row in rows]


def pools(counts=(20, 20, 20)):
    """The three sources, of so many texts each."""
    tokenizer, names = LetterTokenizer(), ("up", "down", "noise")
    ids = {
        name: [e.ids for e in tokenizer.encode_batch(texts(name, count))]
        for name, count in zip(names, counts, strict=True)
    }
    return Pools({name: pack(own, LENGTH, eos=0) for name, own in ids.items()})


def uneven(**changes):
    """A plan whose natural shares are not the uniform ones."""
    return plan(pools=pools((24, 12, 6)), **changes)


def plan(**changes):
    held_out = held_out_from({"up": texts("up", 4, 1), "down": texts("down", 4, 1)}, LetterTokenizer())
    return ProxyPlan(**{"pools": pools(), "config": CONFIG, "settings": SETTINGS, "held_out": held_out} | changes)
