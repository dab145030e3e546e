"""Signs beyond ASCII keep their meaning."""

import pytest

from nemo_lab.reasoning.questions.formulas.spellings import one_spelling


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("x²", "x^{2}"),
        ("x⁻¹⁰", "x^{-10}"),
        ("x₁₂", "x_{12}"),
        ("½", r"\frac{1}{2}"),
        ("1½", r"1\frac{1}{2}"),
        ("√12", r"\sqrt{12}"),
        ("√x", r"\sqrt{x}"),
        ("√(x)", r"\sqrt (x)"),
        ("2×3÷4·5", "2*3/4*5"),
        ("−3", "-3"),
        ("π", r"\pi "),
        ("Ω", r"\Omega "),
        ("λ", r"\lambda "),
        ("x≤∞", r"x\le \infty "),
        ("９", "9"),
        ("𝑥", "x"),
        ("1,2,…", "1,2,..."),
        ("x<sup>2</sup>", "x^{2}"),
        ("<b>7</b>", "7"),
        ("7\u200b", "7"),
        ("€5", "€5"),
        ("٧", "٧"),
        ("①③", "①③"),
        ("∛27", r"\sqrt[3]{27}"),
        ("x≧1", r"x\ge 1"),
        ("1、2或3", "1,2 or 3"),
        (r"3:45 \text{ P.M.}", r"3:45\text{pm}"),
        ("3:45 pm", r"3:45\text{pm}"),
        ("PM=5", "PM=5"),
        (r"(1,2) U \left(3,4\right)", r"(1,2)\cup \left(3,4\right)"),
    ],
)
def test_one_spelling(text, plain):
    assert one_spelling(text) == plain
