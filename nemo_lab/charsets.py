"""Bytes of untrusted documents to text: pages of the web, plain text files, records of archives.

The order: a byte order mark; escape sequences of a 7-bit encoding that is declared or in plain sight; 16 and 32 bits
without a mark; UTF-8; what the server and then the page declare; detection. UTF-8 comes before the declaration, as in
the released pipeline, because text in another encoding is hardly ever valid UTF-8. Labels mean what browsers take
them for (the Encoding Standard, https://encoding.spec.whatwg.org/#names-and-labels): `gb2312` is GB 18030, `shift_jis`
is Windows-31J, `iso-8859-1` is Windows-1252, and so on.

Relative to the standard: what it calls 'replacement' (HZ, ISO-2022-KR), and refuses because of scripts, is read, since
nothing runs here; and where it puts any number of replacement characters we refuse the document, but for a few bytes.
"""

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator

from nemo_lab.errors import LabError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_META = re.compile(
    rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([\w.:-]+)|<\?xml[^>]{0,100}encoding\s*=\s*["']([\w.:-]+)""",
    re.IGNORECASE,
)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([\w.:-]+)", re.IGNORECASE)
_MAGIC = (
    b"%PDF-",
    b"\x89PNG",
    b"GIF8",
    b"\xff\xd8\xff",
    b"PK\x03\x04",
    b"\x7fELF",
    b"\x1f\x8b",
    b"BZh",
    b"\xfd7zXZ",
    b"RIFF",
    b"\xd0\xcf\x11\xe0",
    b"MZ\x90",
)
# The codecs of Python that read what browsers read by the name in front; each is tried in turn.
_WIDER = {
    "gbk": ("gb18030",),
    "big5hkscs": ("big5hkscs", "cp950"),
    "euc_jp": ("euc_jp", "euc_jisx0213"),
    "iso2022_jp": ("iso2022_jp", "iso2022_jp_ext"),
}
# Names that only Python knows and pages may give; others, such as punycode, whose decoder is quadratic, they may not.
_ENCODINGS = re.compile(r"utf-?(?:8|16|32)|iso8859|cp\d|koi8|gb|hz|big5|euc|shift_jis|iso2022|mac|tis-620|ascii|johab")
_SEVEN_BIT = {"iso2022_jp": b"\x1b", "iso2022_jp_ext": b"\x1b", "iso2022_kr": b"\x1b", "hz": b"~{"}
_ESCAPES = ((b"\x1b$)C", "iso-2022-kr"), (b"\x1b$B", "iso-2022-jp"), (b"\x1b$@", "iso-2022-jp"))
_ASCII = bytes(range(128))
_PRINTED = bytes([9, 10, 13, *range(32, 127)])
_LOW = bytes([*range(9), *range(14, 27), *range(28, 32)])  # control characters that no text holds
_FEW_SIGNS = 64  # bytes beyond ASCII
_FOREIGN = re.compile(rb"[\x80-\xff]{3}")  # hardly ever in Latin script
_FOREIGN_RUN = re.compile(rb"[\x80-\xff]{3,}")
_SIGNS = bytes([0x85, *range(0x91, 0x98), 0xA0, 0xAB, 0xBB])  # of Windows-1252 that stand in rows
_WESTERN = frozenset("éèêëàâäãáåæçñíîïóôöøœúùûüßÉÈÊÀÂÄÁÅÆÇÑÍÓÖØŒÚÜ“”‘’„‚–—…•«»€£¥©®™°±²³µ·×÷½¼¾§¡¿†\u00a0\u00ad")
_OLDER = ("mac_roman", "cp850")  # that detection does not know
_HIGH_CONTROLS = re.compile(rb"[\x80-\x84\x86-\x9f]")
_WINDOWS = {  # by the part of ISO 8859 whose letters stand at about the same places
    "iso8859-2": "windows-1250",
    "iso8859-4": "windows-1257",
    "iso8859-5": "windows-1251",
    "iso8859-6": "windows-1256",
    "iso8859-7": "windows-1253",
    "iso8859-8": "windows-1255",
    "iso8859-9": "windows-1254",
    "iso8859-13": "windows-1257",
    "iso8859-15": "windows-1252",
    "iso8859-16": "windows-1250",
}
_IN_WORDS = "\u00ad\u2010\u2011\u2013\u2014\u2019\u00b7"  # hyphens, dashes, apostrophe, Catalan's dot
_BEHIND_LETTER = re.compile(r"(?<=[a-z])([^\x00-\x7f])(.|\Z)")
_SPACE = re.compile(rb"[ \r\n]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
_SAMPLE = 4096
_DETECT = 65_536  # bytes that detection looks at


class NotText(LabError):
    """Content that is not a text document; says why in a few words."""


def decode(content: bytes, charset: str = "") -> str:
    """Return the text of a document's bytes; `charset` is what its server declared.

    A few bytes that are broken become U+FFFD; whoever must not lose them counts those.

    Raises:
        NotText: no bytes, binary content, or no encoding fits.
    """
    if not isinstance(content, bytes):
        raise NotText(f"a {type(content).__name__} and no bytes")
    if content.startswith(_MAGIC):
        raise NotText("binary content")
    for text in _attempts(content, charset):
        if text is not None:
            return _checked(text)
    raise NotText("no known encoding fits")


def charset_of(content_type: str) -> str:
    """Return the charset that a Content-Type header names, or an empty string."""
    found = _CHARSET.search(content_type)
    return found[1] if found else ""


def _attempts(content: bytes, charset: str) -> Iterator[str | None]:
    """Yield the text by each way in turn; None where it does not fit."""
    for mark, name in _MARKS:
        if content.startswith(mark):
            yield content.decode(name, "replace")
    names = [name for name in (charset, _declared(content)) if name]
    yield _seven_bit(content, names)
    yield _wide(content)
    yield _read(content, "utf-8", 20)
    doubted = [name for name in names if _foreign_to(content, name)]
    for name in names:
        yield None if name in doubted else _read(content, name)
    yield _read(content, "utf-8")
    yield _detected(content)
    for name in doubted:
        yield _read(content, name)


def _declared(content: bytes) -> str:
    """Return the encoding that a page states inside; in ASCII it cannot truly be one of 16 bits."""
    found = _META.search(_COMMENT.sub(b"", content[:_SAMPLE]))
    name = (found[1] or found[2]).decode("ascii", "replace") if found else ""
    codec = _codecs(name)[:1]
    if codec and codec[0].startswith("utf-16"):
        return "utf-8"
    return "windows-1252" if codec == ("x-user-defined",) else name


def _foreign_to(content: bytes, label: str) -> bool:
    """Return whether a label of the west, which servers give by default, stands before another script.

    In the west signs beyond ASCII are single among letters; elsewhere most have two neighbours of their kind.
    """
    if _codecs(label)[:1] not in (("cp1252",), ("iso8859-15",)):
        return False
    letters = content[:_DETECT].translate(None, _SIGNS)
    runs = b"".join(_FOREIGN_RUN.findall(letters))
    return len(set(runs)) > 7 and 2 * len(runs) > len(letters.translate(None, _ASCII))


def _codecs(label: str) -> tuple[str, ...]:
    """Return the names of the codecs for a label, or none for what is no label of a text encoding."""
    import webencodings

    found = webencodings.lookup(label) if label.isascii() else None
    if found is not None and found.name == "x-user-defined":
        return ("x-user-defined",)
    if found is not None and found.name != "replacement":
        name = found.codec_info.name
        return _WIDER.get(name, (name,))
    try:
        name = codecs.lookup(label).name
    except (LookupError, ValueError):
        return ()
    return _WIDER.get(name, (name,)) if _ENCODINGS.match(name) else ()


def _read(content: bytes, label: str, rarity: int = 4) -> str | None:
    """Decode by a label's codecs: strictly, else with a few broken bytes; None if neither fits.

    Few are at most three or one in 200 of the bytes beyond ASCII, and in any case less than one in `rarity`.
    """
    names = _codecs(label)
    for name in names:
        try:
            return _by_codec(content, name, "nemo_lab_c1" if name.startswith(("cp125", "cp874")) else "strict")
        except (UnicodeError, ValueError):
            continue
    text = _by_codec(content, names[0], "replace") if names else ""
    broken, beyond = text.count("\ufffd"), len(content.translate(None, _ASCII))
    few = rarity * broken < beyond and 20 * broken < len(text) and broken <= max(3, beyond // 200)
    return text if few else None


def _by_codec(content: bytes, name: str, errors: str) -> str:
    if name == "x-user-defined":  # webencodings has it, Python has not
        import webencodings

        return str(webencodings.lookup(name).codec_info.decode(content, errors)[0])
    return content.decode(name, errors)


def _c1(error: UnicodeError) -> tuple[str, int]:
    """Read bytes 80 to 9F that a Windows code page leaves open as control characters, as browsers do."""
    if isinstance(error, UnicodeDecodeError) and error.object[error.start] < 0xA0:
        return chr(error.object[error.start]), error.start + 1
    raise error


codecs.register_error("nemo_lab_c1", _c1)


def _seven_bit(content: bytes, names: list[str]) -> str | None:
    """Decode text that switches alphabets by escape sequences: in bytes it is ASCII, and so UTF-8."""
    told = [name for name in names if any(_SEVEN_BIT.get(codec, b"\0") in content for codec in _codecs(name))]
    seen = [name for escape, name in _ESCAPES if escape in content[:_DETECT]]
    return next((text for name in told + seen if (text := _read(content, name)) is not None), None)


def _wide(content: bytes) -> str | None:
    """Decode UTF-16 or UTF-32 without a mark, known by bytes below 32 that no other text has.

    Of English every second byte is 0, of Greek or Cyrillic it is 3 or 4, and Chinese has them among others. A stray 0
    in other text is told by the ASCII around it, which in 16 bits is half of the bytes, in Chinese two thirds. The
    right order of bytes gives characters that exist, from few blocks; the wrong one does not.
    """
    sample = content[: _DETECT // 4 * 4]
    printed = len(sample) - len(sample.translate(None, _PRINTED))
    if len(sample) == len(sample.translate(None, _LOW)) or printed > 0.85 * len(sample):
        return None
    ranked = sorted((_oddness(sample, name), name) for name in ("utf-16-be", "utf-16-le", "utf-32-be", "utf-32-le"))
    (share, _), name = ranked[0]
    return content.decode(name, "replace") if share < 0.01 else None


def _oddness(sample: bytes, name: str) -> tuple[float, int]:
    """Return the share of characters that no text has, and of how many blocks of 256 the others are."""
    text = sample[: len(sample) // 4 * 4].decode(name, "replace") or sample.decode(name, "replace")
    odd = sum(letter not in "\t\n\r\f" and unicodedata.category(letter)[0] == "C" for letter in text)
    return (odd + text.count("\ufffd")) / max(1, len(text)), len({ord(letter) >> 8 for letter in text})


def _detected(content: bytes) -> str | None:
    """Guess: by uchardet's statistics of letters; where it knows nothing, by charset-normalizer's.

    Both take the one accent of a short text for anything from Estonian to Vietnamese, so the west is tried first.
    UTF-16 without a single space or end of line, which can only be Chinese, Japanese or Korean, is a case for the
    second, since the first does not know of it.
    """
    from charset_normalizer import from_bytes
    from resiliparse.parse.encoding import detect_encoding

    if (text := _western(content)) is not None:
        return text
    if not len(content) % 2 and not _SPACE.search(content[:_DETECT]):
        best = from_bytes(content[:_SAMPLE]).best()
        if best is not None and best.encoding.startswith("utf_16"):
            return content.decode(best.encoding, "replace")
    guess = (detect_encoding(content, max_len=_DETECT, html5_compatible=False) or "").lower()
    guess = "koi8-u" if guess == "koi8-r" else guess  # has letters where the other draws boxes
    text = _read(content, _of_windows(content, guess))
    if text is not None and _misplaced(text[:_SAMPLE]):
        texts = [text, *(other for name in _OLDER if (other := _read(content, name)) is not None)]
        return min(texts, key=lambda text: _misplaced(text[:_SAMPLE]))
    if text is not None:
        return text
    best = from_bytes(content[:_DETECT]).best()
    return None if best is None else content.decode(best.encoding, "replace")


def _of_windows(content: bytes, guess: str) -> str:
    """Return the Windows code page of a part of ISO 8859 where bytes 80 to 9F are signs: there that has none."""
    page = next((_WINDOWS[name] for name in _codecs(guess) if name in _WINDOWS), "")
    return page if page and _HIGH_CONTROLS.search(content[:_DETECT]) else guess


def _western(content: bytes) -> str | None:
    """Decode as Windows-1252 where a few signs, too few for statistics, are all common in the west of Europe."""
    found = content[:_DETECT]
    if len(found.translate(None, _ASCII)) >= _FEW_SIGNS or _FOREIGN.search(found):
        return None
    text = _read(content, "windows-1252")
    signs = {sign for sign in (text or "")[:_DETECT] if sign > "\x7f"}
    return text if signs <= _WESTERN and not _misplaced((text or "")[:_DETECT]) else None


def _misplaced(text: str) -> int:
    """Count signs, capitals and bare accents behind a small letter: text of DOS or a Macintosh read as Windows'."""
    return sum(
        sign.isupper()
        or unicodedata.category(sign) == "Lm"
        or (after.islower() and not sign.isalpha() and sign not in _IN_WORDS)
        for sign, after in _BEHIND_LETTER.findall(text)
    )


def _checked(text: str) -> str:
    sample = text[: _SAMPLE * 4]
    if sample and len(_CONTROL.findall(sample)) > 0.005 * len(sample):
        raise NotText("binary content")
    if sample.count("\ufffd") > 0.05 * len(sample):
        raise NotText("no known encoding fits")
    return text.removeprefix("\ufeff")


def utf8_lengths(texts: Iterable[str]) -> list[int]:
    """Return how many bytes each text has in UTF-8, half surrogates included."""
    return [len(text.encode("utf-8", "surrogatepass")) for text in texts]


def utf8_bytes(texts: Iterable[str]) -> int:
    """Return how many bytes texts have together in UTF-8, half surrogates included."""
    return sum(utf8_lengths(texts))
