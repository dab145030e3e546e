"""Folders that somebody else made: damage and tricks are one sentence, and no other folder is written over."""

import json
from pathlib import Path

import pytest
import torch

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridLM
from nemo_lab.modeling.huggingface import from_hf, save_hf
from tests.modeling.damaged import damaged
from tests.modeling.random_model import TINY, random_model


def test_saving_replaces_a_checkpoint_and_nothing_else(tmp_path: Path) -> None:
    first, second = random_model(TINY, 0), random_model(TINY, 1)
    save_hf(first, tmp_path / "c")
    save_hf(second, tmp_path / "c")
    assert torch.equal(from_hf(tmp_path / "c").head.weight, second.head.weight)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "diary.txt").write_text("dear diary")
    with pytest.raises(LabError, match="is no checkpoint"):
        save_hf(first, tmp_path / "notes")
    assert (tmp_path / "notes" / "diary.txt").read_text() == "dear diary"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["c", "notes"]


def test_damaged_folders_are_one_sentence(saved: Path, tmp_path: Path) -> None:
    folder = damaged(saved, tmp_path)
    weights, config = folder / "model.safetensors", folder / "config.json"
    whole = weights.read_bytes()
    for length in (0, 4, 100, len(whole) - 1):
        weights.write_bytes(whole[:length])
        with pytest.raises(LabError, match="is cut off or no safetensors file"):
            from_hf(folder)
    weights.unlink()
    (folder / "pytorch_model.bin").write_bytes(b"never opened")
    with pytest.raises(LabError, match="does not exist; the checkpoint is incomplete"):
        from_hf(folder)
    for text, words in [("{", "cannot be read as JSON"), ("[]", "holds a list"), ("[" * 100_000, "as JSON")]:
        config.write_text(text)
        with pytest.raises(LabError, match=words):
            from_hf(folder)
    with pytest.raises(LabError, match="not a name on the hub"):
        from_hf("nvidia/Nemotron-H-8B-Base-8K")


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(LabError, match=r"cannot be made .*; choose another folder"):
        save_hf(HybridLM(TINY), tmp_path / "file" / "model")


def test_an_index_cannot_point_outside(saved: Path, tmp_path: Path) -> None:
    folder = damaged(saved, tmp_path)
    for name in ("../good/model.safetensors", "/etc/passwd", "weights.bin", ""):
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
        with pytest.raises(LabError, match="of its own folder"):
            from_hf(folder)
