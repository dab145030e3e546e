"""Models out of packages: data only, never code, and the real one opens."""

import json

import pytest

from nemo_lab.corpora.packages import fetch, models
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.corpora.packages.models import PackagedModel, model_folder
from nemo_lab.errors import LabError

FILES = {
    "pkg/__init__.py": b"raise SystemExit('code of the package was run')",
    "pkg/model/config.json": b"{}",
    "pkg/model/model.safetensors": b"weights",
    "pkg/model/pytorch_model.bin": b"a pickle",
    "pkg/model/modeling.py": b"raise SystemExit",
    "pkg/model/1_Pooling/config.json": b"{}",
    "pkg/other/model.safetensors": b"another",
}


@pytest.fixture
def packaged(tmp_path, monkeypatch, write_archive):
    """A function that makes a wheel of these files the package that is fetched."""

    def sell(files: dict[str, bytes]) -> PackagedModel:
        archive = write_archive(tmp_path / "sample.whl", files)
        monkeypatch.setattr(fetch, "package", lambda name: archive)
        return PackagedModel("sample", "pkg/model")

    return sell


def test_only_data_of_the_model_is_written(packaged, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    models.unpack_model(packaged(FILES), folder)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert found == {"config.json", "model.safetensors", "1_Pooling/config.json"}
    assert (folder / "model.safetensors").read_bytes() == b"weights"


def test_a_package_without_safetensors_is_refused(packaged, tmp_path):
    files = {name: content for name, content in FILES.items() if not name.endswith("safetensors")}
    with pytest.raises(LabError, match="holds no safetensors under 'pkg/model'"):
        models.unpack_model(packaged(files), tmp_path)


def test_a_member_cannot_leave_the_folder(packaged, tmp_path):
    folder = tmp_path / "inside"
    folder.mkdir()
    models.unpack_model(packaged({**FILES, "pkg/model/../../../evil.json": b"{}"}), folder)
    assert not list(tmp_path.rglob("evil.json"))


def test_an_unknown_model_names_the_known():
    with pytest.raises(LabError, match="Unknown model 'minilmm', did you mean 'minilm'"):
        model_folder("minilmm")


def test_every_model_is_in_the_manifest_as_a_model():
    for model in models.MODELS.values():
        assert fetch.manifest()[model.package].purpose.startswith("model:")


def test_minilm_is_the_model_of_that_name():
    try:
        folder = model_folder("minilm")
    except PackageError as error:
        pytest.skip(str(error))
    assert {path.suffix for path in folder.rglob("*") if path.is_file()} == set(models.SUFFIXES)
    config = json.loads((folder / "config.json").read_text())
    assert (config["model_type"], config["hidden_size"], config["num_hidden_layers"]) == ("bert", 384, 6)
    assert model_folder("minilm") == folder, "unpacked once"
