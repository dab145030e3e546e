"""One character, one LaTeX: from the table, from its alphabet, or as it is."""

import pytest

from nemo_lab.curation.formulas.symbols import COMMANDS, PLAIN, command_for


@pytest.mark.parametrize(
    ("character", "latex"),
    [
        ("α", r"\alpha"),
        ("∑", r"\sum"),
        ("⟺", r"\Longleftrightarrow"),
        ("℧", r"\mho"),
        ("−", "-"),
        ("\u2061", ""),
        ("ⅆ", "d"),
        ("ℝ", r"\mathbb{R}"),
        ("𝟘", r"\mathbb{0}"),
        ("𝒞", r"\mathcal{C}"),
        ("ℌ", r"\mathfrak{H}"),
        ("𝔤", r"\mathfrak{g}"),
        ("𝐱", r"\mathbf{x}"),
        ("𝛂", r"\mathbf{\alpha}"),
        ("𝑥", "x"),
        ("𝚊", r"\mathtt{a}"),
        ("ℎ", "h"),
        ("𝜗", r"\vartheta"),
        ("𝜃", r"\theta"),
        ("𝜙", r"\phi"),
        ("𝜕", r"\partial"),
        ("𝛁", r"\mathbf{\nabla}"),
        ("≢", r"\not\equiv"),
        ("≯", r"\ngtr"),
        ("é", "é"),
        ("文", "文"),
        ("{", "{"),
    ],
)
def test_a_character_has_its_latex(character: str, latex: str) -> None:
    assert command_for(character) == latex


def test_the_table_pairs_characters_with_names() -> None:
    """A row with a field too many would shift all behind it."""
    assert {len(character) for character in COMMANDS} == {1}
    assert not [name for name in COMMANDS.values() if not (name.isascii() and name.isalpha())]
    assert not COMMANDS.keys() & PLAIN.keys()
