"""Training: packing, optimiser, schedule, loop, checkpoints, evaluation, many processes.

In one breath:

    packed = pack((tokenizer.encode(text).ids for text in texts), length=512, eos=0)
    history = train(HybridLM(config), packed, TrainSettings(steps=300, batch_size=8, peak_lr=3e-3))

Everything works with any module that has `HybridLM`'s `loss`; each file's docstring says what it decides and
why.
"""

from nemo_lab.training.checkpoints import load_model, read_history
from nemo_lab.training.evaluate import bits_per_byte, bits_per_byte_by_domain, text_nats
from nemo_lab.training.identity import with_fingerprint
from nemo_lab.training.loop import NonFiniteLoss, take_step, train
from nemo_lab.training.packing import IGNORE, Batch, Packed, batch, batches, load_packed, pack
from nemo_lab.training.settings import TrainingError, TrainSettings, settings_from

__all__ = [
    "IGNORE",
    "Batch",
    "NonFiniteLoss",
    "Packed",
    "TrainSettings",
    "TrainingError",
    "batch",
    "batches",
    "bits_per_byte",
    "bits_per_byte_by_domain",
    "load_model",
    "load_packed",
    "pack",
    "read_history",
    "settings_from",
    "take_step",
    "text_nats",
    "train",
    "with_fingerprint",
]
