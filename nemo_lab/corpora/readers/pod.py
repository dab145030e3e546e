"""POD, Perl's documentation format, to plain text: the Perl manual, its 305 questions and answers included.

perlpod defines it: commands begin with `=` in the first column, indented paragraphs are verbatim, all others
hold formatting codes such as `C<code>`, which may nest and may use doubled brackets (`C<< a > b >>`).
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from nemo_lab.corpora.packages.archives import members

_ENTITIES = {"lt": "<", "gt": ">", "verbar": "|", "sol": "/", "nbsp": " ", "mdash": "—", "copy": "©"}
_CODE = re.compile(r"([A-Z])(?:<(?!<)([^<>]*)>|(<{2,})\s+(.*?)\s+(>{2,}))", re.DOTALL)


def perl_manual(archives: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Yield the pages of Perl's manual by name (`perlfaq4`, `perlop`, …).

    Perl's two licences are pages of it too; they are documents of the law corpus and are left out here.
    """
    for name, content in members(archives[0], "*.pod"):
        if Path(name).stem not in ("perlgpl", "perlartistic"):
            yield Path(name).stem, plain(content.decode("utf-8", "replace"))


def plain(text: str) -> str:
    """Return POD as plain text: headings and items on their own lines, verbatim paragraphs as they are."""
    shown: list[str] = []
    in_pod, hidden = False, ""
    for paragraph in re.split(r"\n[ \t]*\n", text.expandtabs()):
        paragraph = paragraph.strip("\n")
        command = re.match(r"=([a-z]+\d?)\s*(.*)", paragraph, re.DOTALL)
        if command:
            in_pod = command[1] != "cut"
            hidden = _hidden(command[1], command[2], hidden)
            shown += _command(command[1], command[2]) if not hidden else []
        elif in_pod and not hidden and paragraph.strip():
            shown.append(paragraph.rstrip() if paragraph[0] == " " else formatted(" ".join(paragraph.split())))
    return "\n\n".join(shown)


def _hidden(command: str, argument: str, hidden: str) -> str:
    """Return the name of the `=begin` block for another formatter that we are in, or nothing."""
    if command == "begin":
        return hidden or argument.split()[0]
    return "" if command == "end" and argument.split()[:1] == [hidden] else hidden


def _command(command: str, argument: str) -> list[str]:
    if command.startswith("head"):
        return [formatted(" ".join(argument.split()))]
    if command == "item":
        label = formatted(" ".join(argument.split())).removeprefix("*").strip()
        return [f"- {label}"] if label else []
    return []


def formatted(text: str) -> str:
    """Return a paragraph without its formatting codes, innermost first.

    Angle brackets that a code produces (`E<lt>`) or holds (`C<< $a < $b >>`) are set aside until the end, so
    that they are not taken for the brackets of an outer code.
    """
    previous = ""
    while previous != text:
        previous, text = text, _CODE.sub(_replaced, text)
    return text.replace("\x02", "<").replace("\x03", ">")


def _replaced(match: re.Match[str]) -> str:
    inner = match[2] if match[2] is not None else match[4]
    if match[1] in "XZ":
        return ""
    if match[1] == "E":
        inner = _ENTITIES.get(inner) or _character(inner)
    elif match[1] == "L" and "|" in inner:
        inner = inner.split("|", 1)[0]
    elif match[1] == "L":
        inner = inner.replace("/", " ", 1).replace('"', "").strip() if "://" not in inner else inner
    return inner.replace("<", "\x02").replace(">", "\x03")


def _character(name: str) -> str:
    import html

    if re.fullmatch(r"\d+|0x[0-9a-fA-F]+", name):
        return chr(int(name, 0))
    return html.unescape(f"&{name};")
