"""Models out of packages: data only, never code, and the real one opens."""

import dataclasses
import json

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from nemo_lab.corpora import fetch, models
from nemo_lab.corpora.clients import PackageError
from nemo_lab.corpora.models import PackagedModel, model_folder
from nemo_lab.lab.home import LabError

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


def test_a_package_without_its_gguf_file_is_refused(packaged, tmp_path):
    model = dataclasses.replace(packaged(FILES), gguf="small.gguf")
    with pytest.raises(LabError, match=r"holds no 'small\.gguf' under 'pkg/model'"):
        models.convert_model(model, tmp_path)


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


@pytest.fixture(scope="module")
def smollm2():
    try:
        return model_folder("smollm2")
    except PackageError as error:
        pytest.skip(str(error))


def test_smollm2_is_a_llama_in_safetensors(smollm2):
    assert {path.suffix for path in smollm2.iterdir()} == {".safetensors", ".json", ".jinja"}
    config = json.loads((smollm2 / "config.json").read_text())
    assert (config["model_type"], config["hidden_size"], config["num_hidden_layers"]) == ("llama", 576, 30)
    assert "quantization_config" not in config
    assert model_folder("smollm2") == smollm2, "converted once"


def test_smollm2_keeps_its_chat_template_and_pads_with_another_token_than_the_end(smollm2):
    """As packaged it pads with the end of a turn, which a loss that leaves padding out never teaches."""
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    prompt = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    assert prompt == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    )
    assert (tokenizer.eos_token, tokenizer.pad_token) == ("<|im_end|>", "<|endoftext|>")
    for name in ("config.json", "generation_config.json"):
        settings = json.loads((smollm2 / name).read_text())
        assert (settings["eos_token_id"], settings["pad_token_id"]) == (
            tokenizer.eos_token_id,
            tokenizer.pad_token_id,
        )
    text = "naïve ½ 漢字 \x00 <end>"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert tokenizer.pad_token_id not in tokenizer(text)["input_ids"]


def test_smollm2_continues_a_sentence(smollm2):
    model = AutoModelForCausalLM.from_pretrained(smollm2)
    tokenizer = AutoTokenizer.from_pretrained(smollm2)
    prompt = tokenizer("The capital of France is", return_tensors="pt")
    text = tokenizer.decode(model.generate(**prompt, max_new_tokens=4, do_sample=False)[0])
    assert text.startswith("The capital of France is Paris")
