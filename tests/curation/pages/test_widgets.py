"""Options of a quiz, titles in buttons and panels that open are text; what a reader presses or fills in is not."""

# ruff: noqa: E501  markup stays on one line

import re

import pytest

from nemo_lab.curation import extract_html
from nemo_lab.curation.pages.prepass import prepare
from tests.curation.made_pages import page

PROSE = "<p>" + "All that is said here is said at length, as on any page of a manual. " * 6 + "</p>"


def shown(body: str) -> str:
    """The page's text without its prose, formulas and code put back."""
    prepared = prepare(page(f"<main><h1>T</h1>{PROSE}{body}</main>"))
    text, _ = prepared.shelf.restore(" ".join(re.sub("<[^>]+>", " ", prepared.html).split()))
    return " ".join(text.replace("All that is said here is said at length, as on any page of a manual.", "").split())


OPTIONS = {
    "beside": '<div><input type="radio" name="q" id="a"><label for="a">FIRST \\(6\\)</label></div><div><input type="radio" name="q" id="b"><label for="b">SECOND</label></div>',
    "round": '<ul class="wpProQuiz_questionList"><li class="wpProQuiz_questionListItem"><label><input type="radio" class="wpProQuiz_questionInput" value="1"> FIRST</label></li><li><label><input type="radio"> SECOND</label></li></ul>',
    "Moodle": '<form><div class="answer"><div class="r0"><input type="radio" id="q1:1_answer0"><label for="q1:1_answer0" class="ml-1"><span class="answernumber">a. </span>FIRST</label></div><div class="r1"><input type="checkbox" id="q1:1_answer1"><label for="q1:1_answer1">SECOND</label></div></div><input type="submit" value="Check"></form>',
    "edX": '<div class="wrapper-problem-response"><fieldset><div class="field"><input type="radio" id="input_x_1" class="field-input input-radio"/><label id="x-label" for="input_x_1" class="response-label field-label label-inline">FIRST</label></div><label class="response-label"><input type="radio">SECOND</label></fieldset></div>',
    "task list": '<ul class="task-list"><li class="task-list-item"><label class="task-list-control"><input type="checkbox" disabled><span class="task-list-indicator"></span></label>FIRST</li><li><label><input type="checkbox">SECOND</label></li></ul>',
    "buttons": '<div class="quiz"><button class="option">FIRST</button><button class="option">SECOND</button></div>',
}


@pytest.mark.parametrize("name", OPTIONS)
def test_options_are_text(name: str) -> None:
    text = shown(f"<p>Which?</p>{OPTIONS[name]}")
    assert re.search("FIRST.*SECOND", text)


@pytest.mark.parametrize(
    "question",
    [
        '<label for="n">What is the sum of ONE and two?</label><input type="number" id="n">',
        "<label>Solve \\(x+1=ONE\\): <input type='text'></label>",
        "<label class='definition'>Definition ONE.</label>",
    ],
)
def test_questions_in_labels_are_text(question: str) -> None:
    assert "ONE" in shown(f"<form>{question}</form>")


@pytest.mark.parametrize(
    "control",
    [
        '<form role="search"><label for="s">GONE</label><input type="search" id="s"></form>',
        '<form><label for="e">GONE</label><input id="e" type="email"><label><input type="checkbox"> GONE</label></form>',
        '<label for="f">GONE</label><input id="f" type="text">',
        '<input type="checkbox" id="__drawer" class="md-toggle"><label class="md-overlay" for="__drawer">GONE</label>',
        '<input type="checkbox" role="button" aria-haspopup="true" id="x"><label for="x">GONE</label>',
        '<label class="theme-switch"><input type="checkbox">GONE</label>',
        "<button aria-expanded='false'>Open the GONE menu</button><button>GONE</button><button class='copy-button'>GONE</button><button class='accordion-toggle-menu'>GONE</button>",
        "<h2>Title<button aria-label='Copy'>#</button></h2>",
        "<h2>Title <button>Copy item path</button></h2>",
    ],
)
def test_what_is_filled_in_or_pressed_is_not(control: str) -> None:
    text = shown(control)
    assert "GONE" not in text
    assert "#" not in text
    assert "Copy" not in text


TITLES = {
    "Bootstrap 5": '<div class="accordion"><div class="accordion-item"><h2 class="accordion-header"><button class="accordion-button collapsed" data-bs-toggle="collapse" data-bs-target="#c1">Why is \\(\\sqrt 2\\) irrational?</button></h2><div id="c1" class="accordion-collapse collapse"><div class="accordion-body">BODY</div></div></div></div>',
    "Bootstrap 4": '<div class="card"><div class="card-header"><h5 class="mb-0"><button class="btn btn-link" data-toggle="collapse" data-target="#c1" aria-expanded="false">Why is \\(\\sqrt 2\\) irrational?</button></h5></div><div id="c1" class="collapse"><div class="card-body">BODY</div></div></div>',
    "WAI-ARIA": '<div class="accordion"><h3><button type="button" aria-expanded="false" class="accordion-trigger" aria-controls="sect2"><span class="accordion-title">Why is \\(\\sqrt 2\\) irrational?<span class="accordion-icon"></span></span></button></h3><div id="sect2" role="region" class="accordion-panel" hidden="">BODY</div></div>',
    "W3Schools": '<button class="accordion">Why is \\(\\sqrt 2\\) irrational?</button><div class="panel"><p>BODY</p></div>',
    "details": "<details><summary><button>Why is \\(\\sqrt 2\\) irrational?</button></summary>BODY</details>",
    "list of terms": '<dl><dt><button aria-expanded="false" aria-controls="f1">Why is \\(\\sqrt 2\\) irrational?</button></dt><dd id="f1" style="display: none">BODY</dd></dl>',
    "role": '<div role="heading" aria-level="3"><button>Why is \\(\\sqrt 2\\) irrational?</button></div><div>BODY</div>',
    "Headless UI": '<button id="headlessui-disclosure-button-1" aria-expanded="false">Why is \\(\\sqrt 2\\) irrational?</button><div>BODY</div>',
    "collapsible": '<button type="button" class="collapsible">Why is \\(\\sqrt 2\\) irrational?</button><div class="content"><p>BODY</p></div>',
}


@pytest.mark.parametrize("name", TITLES)
def test_titles_in_buttons_are_text_and_so_is_what_they_open(name: str) -> None:
    text = shown(TITLES[name])
    assert "Why is $\\sqrt 2$ irrational?" in text
    assert "BODY" in text


HIDDEN = {
    "a control names it": '<button onclick="toggle(\'s1\')">Solution</button><div id="s1" style="display:none">BODY</div>',
    "spoiler": '<div class="spoiler" style="display:none">BODY</div>',
    "solution": '<div class="solution" hidden>BODY</div>',
    "found by the browser": '<div hidden="until-found">BODY</div>',
    "a link names it": '<a href="javascript:toggle(\'s2\')">Answer</a><div id="s2" style="display:none">BODY</div>',
    "Confluence": '<div class="expand-control"><span class="expand-control-text">More</span></div><div class="expand-content" style="display: none; opacity: 0;">BODY</div>',
    "MUI": '<div class="MuiCollapse-root" style="min-height:0px;visibility:hidden"><p>BODY</p></div>',
    "MediaWiki": '<div class="NavFrame"><div class="NavHead">Proof</div><div class="NavContent" style="display:none;">BODY</div></div>',
    "rows of a table": '<table class="wikitable collapsible collapsed"><tr><th>A</th><th>B</th></tr><tr style="display: none;"><td>BODY</td><td>1</td></tr></table>',
    "slides": '<section class="future" hidden style="display: none;">BODY</section>',
    "slides by script": '<div class="mySlides fade" style="display:none">BODY</div>',
    "shadow root": '<x-note><template shadowrootmode="open"><p>BODY</p></template></x-note>',
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_a_reader_can_open_is_text(name: str) -> None:
    assert "BODY" in shown(HIDDEN[name])


@pytest.mark.parametrize(
    "part",
    [
        '<table class="data"><tr style="display:none"><td>BODY</td></tr></table>',
        '<div class="slide-out-panel" style="display:none">BODY</div>',
        '<div class="nav-collapse" style="visibility:hidden">BODY</div>',
        '<div style="display:none">BODY</div>',
        "<div hidden>BODY</div>",
        '<dialog class="login-modal">BODY</dialog>',
    ],
)
def test_what_nothing_opens_is_not(part: str) -> None:
    assert "BODY" not in shown(part)


@pytest.mark.parametrize(
    ("part", "count"),
    [
        ("<div hidden><p>\\(x^2\\) and \\(y\\)</p></div>", 2),
        ("<select><option>\\(x^2\\)</option></select>", 1),
        ("<dialog><pre>x = 1\ny = 2</pre></dialog>", 1),
        ("<div hidden>No formula.</div>", 0),
    ],
)
def test_formulas_and_code_that_are_not_seen_are_counted(part: str, count: int) -> None:
    losses = extract_html(page(f"<main>{PROSE}{part}</main>")).losses
    assert losses.in_furniture == count
    assert not losses.suspected, "they are accounted for"
    assert ("furniture or hidden" in losses.sentence()) == (count > 0)


@pytest.mark.parametrize(
    "editor",
    [
        '<textarea data-lang="python" id="t1">x = 1\ny = 2</textarea>',
        '<div class="compute"><script type="text/x-sage">x = 1\ny = 2</script></div>',
        '<pre class="ptx-sagecell"><script type="text/x-sage">x = 1\ny = 2</script></pre>',
    ],
)
def test_programs_in_editors_are_code(editor: str) -> None:
    assert "\nx = 1\ny = 2\n```" in extract_html(page(f"<main>{PROSE}{editor}</main>")).text
    assert "note" not in shown('<textarea name="message">note</textarea>')


WAITING = {
    "all of it": '<div id="js_content" style="visibility: hidden;">BODY {}</div>',
    "until a script has run": '<div id="app" hidden>BODY {}</div>',
    "in pieces": '<h1><span style="display:block;visibility:hidden">BODY</span></h1><p style="visibility:hidden">{}</p>',
}


@pytest.mark.parametrize("name", WAITING)
def test_what_waits_for_a_script_is_the_page(name: str) -> None:
    assert "BODY" in prepare(page(WAITING[name].format("Said at length. " * 40))).html


@pytest.mark.parametrize(
    "part", ['<div id="x" hidden>BODY {}</div>', '<div id="cookie-overlay" hidden>BODY {} {}</div>']
)
def test_a_hidden_part_that_is_not_most_of_a_page_stays_hidden(part: str) -> None:
    words = "Said at length. " * 20
    assert "BODY" not in prepare(page(part.format(words, words) + PROSE * 2)).html
