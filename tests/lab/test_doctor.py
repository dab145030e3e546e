"""`nemo-lab doctor`: what is found, what is missing with its command, and that nothing heavy is imported."""

import subprocess
import sys

import pytest

from nemo_lab.lab import doctor


def test_the_examination_names_machine_engines_and_commands(monkeypatch, tmp_path):
    monkeypatch.setenv("NEMO_LAB_HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "program", lambda name: "" if name == "lynx" else "/usr/bin/" + name)
    monkeypatch.setattr(doctor, "package", lambda module, name="": "" if module == "mamba_ssm" else "1.0")
    text = doctor.examine()
    assert "apt-get install lynx" in text
    assert "MAMBA_FORCE_BUILD=TRUE MAMBA_SKIP_CUDA_BUILD=TRUE pip install --no-build-isolation" in text
    assert "our chunked form in torch" in text
    assert "flash-attn (1.0)" in text
    assert str(tmp_path) in text
    assert all(len(line) <= 130 for line in text.splitlines())


def test_every_piece_says_what_it_is_for_and_how_to_get_it():
    for piece in doctor.pieces():
        assert piece.purpose
        assert piece.get


@pytest.mark.parametrize(
    ("on_gpu", "scan", "attention", "linear"),
    [
        (True, "mamba-ssm's Triton kernels", "flash-attn", "Transformer Engine"),
        (False, "our chunked form", "scaled_dot_product_attention", "float8 casts"),
    ],
)
def test_kernels_are_taken_only_on_a_gpu(monkeypatch, on_gpu, scan, attention, linear):
    monkeypatch.setattr(doctor, "gpus", lambda: ("H100", "H100") if on_gpu else ())
    monkeypatch.setattr(doctor, "package", lambda module, name="": "1.0")
    engines = dict(doctor.engines())
    assert scan in engines["selective state space"]
    assert attention in engines["attention"]
    assert linear in engines["FP8 linear"]
    assert ("torchrun" in engines["training"]) is on_gpu


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("flags\t: fpu avx512_bf16 amx_bf16\n", "AMX, AVX512_BF16"),
        ("Features : fp bf16\n", "Arm BF16"),
        ("", ""),
    ],
)
def test_bf16_is_read_from_the_processor(tmp_path, text, found):
    (tmp_path / "cpuinfo").write_text(text)
    assert doctor.bf16(tmp_path / "cpuinfo") == found
    assert doctor.bf16(tmp_path / "none") == ""


def test_a_short_disk_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("NEMO_LAB_HOME", str(tmp_path))
    usage = type("Usage", (), {"free": 2e9})
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda folder: usage)
    assert "set NEMO_LAB_HOME elsewhere" in doctor.disk()


def test_packages_are_looked_for_and_not_imported():
    code = (
        "import sys\nfrom nemo_lab.lab import doctor\ndoctor.pieces()\n"
        "heavy = {'mamba_ssm', 'flash_attn', 'transformer_engine', 'ray'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
