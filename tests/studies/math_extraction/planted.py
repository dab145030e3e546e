"""Pages whose formulas, code, content and chrome are known."""

from nemo_lab.studies.math_extraction.manuals import KnownPage

CODE = "def f(x):\n    return x"


def known(group: str, number: int) -> KnownPage:
    text = f"Page {number} says that the sum of all numbers is what the formula gives in this case."
    html = f"<nav>Menu of {group}</nav><main><p>{text}</p><p>Let \\(x^{{{number}}}\\) be.</p><pre>{CODE}</pre></main>".encode()  # noqa: E501
    return KnownPage(group, f"{number}", html, [f"x^{{{number}}}"], [CODE], [text], [f"Menu of {group}"], True)


PAGES = [known(group, number) for group in ("a", "b") for number in range(2)]
PROSE = (
    b"We will now see that this is what the sum of all of them is in the case that we have before us, and why it was "
    b"not so for the others in the list above. "
)
