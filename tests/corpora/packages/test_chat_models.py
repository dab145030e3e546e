"""A chat model out of a package: converted once, with its chat template, and with a padding token of its own."""

import json
import zipfile

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from nemo_lab.corpora.packages import chat_models, fetch
from nemo_lab.corpora.packages.chat_models import chat_model_folder
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.errors import LabError


def test_a_package_without_its_file_is_refused(monkeypatch, tmp_path):
    archive = tmp_path / "small-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("pkg/readme.txt", "nothing")
    monkeypatch.setattr(fetch, "package", lambda name: archive)
    (tmp_path / "out").mkdir()
    with pytest.raises(LabError, match=r"holds no 'pkg/small\.gguf'"):
        chat_models.convert_model(chat_models.GGUFModel("small", "pkg/small.gguf"), tmp_path / "out")


def test_an_unknown_model_names_the_known():
    with pytest.raises(LabError, match="did you mean 'smollm2'"):
        chat_model_folder("smolm2")


@pytest.fixture(scope="module")
def smollm2():
    try:
        return chat_model_folder("smollm2")
    except PackageError as error:
        pytest.skip(str(error))


def test_smollm2_is_a_llama_in_safetensors(smollm2):
    assert {path.suffix for path in smollm2.iterdir()} == {".safetensors", ".json", ".jinja"}
    config = json.loads((smollm2 / "config.json").read_text())
    assert (config["model_type"], config["hidden_size"], config["num_hidden_layers"]) == ("llama", 576, 30)
    assert "quantization_config" not in config
    assert chat_model_folder("smollm2") == smollm2, "converted once"


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
