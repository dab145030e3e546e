"""The child's model: Llama where all is full, right caches where it is not, and a folder that opens anywhere."""

import subprocess
import sys

import pytest
import tiny_puzzle
import torch

from nemo_lab.compression.puzzle.child import plain_llama
from nemo_lab.compression.puzzle.model import PuzzleConfig, PuzzleForCausalLM
from nemo_lab.errors import LabError

BLOCKS = [[0, 24], [1, 12], ["linear", "linear"], [3, 0]]


def child(blocks):
    torch.manual_seed(3)
    return PuzzleForCausalLM(PuzzleConfig(**tiny_puzzle.SIZES, blocks=blocks)).eval()


def test_full_blocks_are_llama_to_the_bit():
    tokens = tiny_puzzle.rows(2)
    assert torch.equal(tiny_puzzle.llama()(tokens).logits, tiny_puzzle.parent()(tokens).logits)


@pytest.mark.parametrize("blocks", [BLOCKS, [[0, 0]] * 3 + [[1, 24]], [["linear", 12]] * 4])
def test_decoding_with_a_cache_is_reading_anew(blocks):
    model, tokens = child(blocks), tiny_puzzle.rows(1, 5)
    ends = model.generate(
        tokens,
        attention_mask=torch.ones_like(tokens),
        max_new_tokens=6,
        do_sample=False,
        eos_token_id=None,
        pad_token_id=0,
    )
    anew = tokens
    for _ in range(6):
        anew = torch.cat([anew, model(anew).logits[:, -1].argmax(-1)[:, None]], 1)
    assert torch.equal(ends, anew)


def test_an_absent_part_has_no_weights():
    names = {name for name, _ in child(BLOCKS).named_parameters()}
    assert not [name for name in names if name.startswith("model.layers.0.self_attn")]
    assert not [name for name in names if "layers.0.input_layernorm" in name or "layers.3.mlp" in name]
    assert sum(weight.numel() for weight in child([[0, 0]] * 4).parameters()) == 64 * 36 + 36


def test_a_folder_opens_with_the_lab_and_without(tmp_path):
    model, tokens = child(BLOCKS), tiny_puzzle.rows(1)
    model.save_pretrained(tmp_path)
    assert torch.equal(PuzzleForCausalLM.from_pretrained(tmp_path)(tokens).logits, model(tokens).logits)
    program = (
        "import sys, torch; from transformers import AutoModelForCausalLM as A\n"
        f"m = A.from_pretrained({str(tmp_path)!r}, trust_remote_code=True)\n"
        f"x = m(torch.tensor({tokens.tolist()})).logits.double().sum().item()\n"
        "assert not [name for name in sys.modules if name.startswith('nemo_lab')]; print(x)"
    )
    environment = {"PATH": "/usr/bin:/bin", "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) == pytest.approx(model(tokens).logits.double().sum().item(), abs=1e-3)


@pytest.mark.parametrize(
    ("blocks", "message"),
    [([[3, 24]] * 3, "3 blocks for 4 layers"), ([[2, 24]] * 4, "do not divide"), ([[3, -1]] * 4, "width is -1")],
)
def test_blocks_that_are_none(blocks, message):
    with pytest.raises(ValueError, match=message):
        PuzzleConfig(**tiny_puzzle.SIZES, blocks=blocks)


def test_plain_llama_says_the_same():
    model, tokens = child([[0, 24], [1, 12], [3, 0], [0, 0]]), tiny_puzzle.rows(2)
    torch.testing.assert_close(plain_llama(model)(tokens).logits, model(tokens).logits, atol=1e-5, rtol=1e-5)
    with pytest.raises(LabError, match="no linear sub-blocks"):
        plain_llama(child(BLOCKS))
