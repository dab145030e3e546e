"""Which LaTeX command stands for which character, for MathML, for `<sup>` markup and for comparing formulas.

The tables hold what mathematical pages use, not all of Unicode: a character without a row stays itself, and
modern TeX engines and KaTeX read it as it is. Names are LaTeX's and AMS's (`amssymb`).
"""

import unicodedata
from collections.abc import Mapping

_ROWS = """
α alpha β beta γ gamma δ delta ε varepsilon ϵ epsilon ζ zeta η eta θ theta ϑ vartheta ι iota κ kappa λ lambda μ mu
µ mu ν nu ξ xi π pi ϖ varpi ρ rho ϱ varrho σ sigma ς varsigma τ tau υ upsilon φ varphi ϕ phi χ chi ψ psi ω omega
Γ Gamma Δ Delta ∆ Delta Θ Theta Λ Lambda Ξ Xi Π Pi Σ Sigma Υ Upsilon Φ Phi Ψ Psi Ω Omega
ℓ ell ℏ hbar ℘ wp ℜ Re ℑ Im ı imath ȷ jmath ∂ partial ∇ nabla ∞ infty ∅ emptyset ℵ aleph ∀ forall ∃ exists ∄ nexists
¬ neg ⊤ top ⊥ bot ∠ angle △ triangle □ square ◻ square ♯ sharp ♭ flat ♮ natural ♣ clubsuit ♦ diamondsuit ♠ spadesuit
± pm ∓ mp × times ÷ div ⋅ cdot · cdot ∗ ast ⋆ star ∘ circ ∙ bullet • bullet ⊕ oplus ⊖ ominus ⊗ otimes ⊘ oslash ⊙ odot
∩ cap ∪ cup ⊎ uplus ⊓ sqcap ⊔ sqcup ∨ vee ∧ wedge ∖ setminus ≀ wr † dagger ‡ ddagger ⨿ amalg ⋄ diamond
≤ leq ≥ geq ≠ neq ≡ equiv ∼ sim ≃ simeq ≈ approx ≅ cong ∝ propto ≪ ll ≫ gg ≺ prec ≻ succ ⪯ preceq ⪰ succeq
⩽ leqslant ⩾ geqslant ≲ lesssim ≳ gtrsim ≜ triangleq ≐ doteq ≍ asymp ∣ mid ∤ nmid ∥ parallel ∦ nparallel
⊂ subset ⊃ supset ⊆ subseteq ⊇ supseteq ⊈ nsubseteq ⊊ subsetneq ∈ in ∋ ni ∉ notin ⊢ vdash ⊣ dashv ⊨ models
⊲ triangleleft ≁ nsim ≇ ncong ≮ nless ≯ ngtr ≰ nleq ≱ ngeq ⊉ nsupseteq ⊬ nvdash
⋉ ltimes ⋊ rtimes ⋈ bowtie ⌢ frown ⌣ smile ≔ coloneqq
← leftarrow → rightarrow ↔ leftrightarrow ⇐ Leftarrow ⇒ Rightarrow ⇔ Leftrightarrow ↑ uparrow ↓ downarrow ↦ mapsto
⟵ longleftarrow ⟶ longrightarrow ⟷ longleftrightarrow ⟹ Longrightarrow ⟸ Longleftarrow ⟺ Longleftrightarrow
⟼ longmapsto ↪ hookrightarrow ↩ hookleftarrow ⇀ rightharpoonup ⇌ rightleftharpoons ↗ nearrow ↘ searrow
↠ twoheadrightarrow
∑ sum ∏ prod ∐ coprod ∫ int ∬ iint ∭ iiint ∮ oint ⋂ bigcap ⋃ bigcup ⋁ bigvee ⋀ bigwedge ⨁ bigoplus ⨂ bigotimes ⨀ bigodot
⌊ lfloor ⌋ rfloor ⌈ lceil ⌉ rceil ⟨ langle ⟩ rangle 〈 langle 〉 rangle ‖ Vert
… ldots ⋯ cdots ⋮ vdots ⋱ ddots ∴ therefore ∵ because √ surd § S ° circ ℧ mho
"""
_FIELDS = _ROWS.split()
COMMANDS: Mapping[str, str] = dict(zip(_FIELDS[::2], _FIELDS[1::2], strict=True))

# U+2061 to U+2064 are shown as nothing; U+2212 is the minus of typesetting.
PLAIN: Mapping[str, str] = {
    "′": "'",
    "″": "''",
    "‴": "'''",
    "−": "-",
    "∕": "/",
    "’": "'",
    "⁡": "",
    "⁢": "",
    "⁣": "",
    "⁤": "",
    "\u200b": "",
    "\u00a0": " ",
    "ⅆ": "d",
    "ⅇ": "e",
    "ⅈ": "i",
    "ℎ": "h",
    "\u2009": " ",
    "\u200a": " ",
    "\u2003": " ",
    "\u2002": " ",
    "\ufeff": "",
    "∶": ":",
}

FUNCTIONS = frozenset(
    (
        "arccos",
        "arcsin",
        "arctan",
        "arg",
        "cos",
        "cosh",
        "cot",
        "coth",
        "csc",
        "deg",
        "det",
        "dim",
        "exp",
        "gcd",
        "hom",
        "inf",
        "ker",
        "lg",
        "lim",
        "liminf",
        "limsup",
        "ln",
        "log",
        "max",
        "min",
        "Pr",
        "sec",
        "sin",
        "sinh",
        "sup",
        "tan",
        "tanh",
    )
)
_ALPHABETS = {
    "DOUBLE-STRUCK": "mathbb",
    "SCRIPT": "mathcal",
    "BOLD SCRIPT": "mathcal",
    "FRAKTUR": "mathfrak",
    "BLACK-LETTER": "mathfrak",
    "BOLD FRAKTUR": "mathfrak",
    "BOLD": "mathbf",
    "BOLD ITALIC": "boldsymbol",
    "ITALIC": "",
    "SANS-SERIF": "mathsf",
    "SANS-SERIF BOLD": "mathsf",
    "MONOSPACE": "mathtt",
}
_CASES = (
    " CAPITAL ",
    " SMALL ",
    " DIGIT ",
    " PHI ",
    " THETA ",
    " EPSILON ",
    " RHO ",
    " KAPPA ",
    " PI ",
    " PARTIAL ",
    " NABLA",
)


def command_for(character: str) -> str:
    """Return the LaTeX of one character: `\\alpha`, `\\mathbb{R}`, or the character itself."""
    if character in COMMANDS:
        return f"\\{COMMANDS[character]}"
    if character in PLAIN:
        return PLAIN[character]
    relation, struck, _ = unicodedata.normalize("NFD", character).partition("\u0338")
    if struck and relation:
        return f"\\not{command_for(relation)}"
    return character if character.isascii() else _styled_letter(character)


def _styled_letter(character: str) -> str:
    """Return a letter of a mathematical alphabet (𝔸, ℝ, 𝒞, 𝐱) as a plain letter in that style."""
    name = unicodedata.name(character, "").removeprefix("MATHEMATICAL ")
    for case in _CASES:
        style, found, _ = name.partition(case)
        if found and style in _ALPHABETS:
            plain = command_for(_plain(character))
            return f"\\{_ALPHABETS[style]}{{{plain}}}" if _ALPHABETS[style] else plain
    return character


def _plain(character: str) -> str:
    """Return the letter of which this one is a font's form; its own variants (ϑ of θ) are kept apart."""
    font, _, code = unicodedata.decomposition(character).rpartition(" ")
    return chr(int(code, 16)) if font == "<font>" else character
