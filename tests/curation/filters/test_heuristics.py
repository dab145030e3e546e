"""Each rule at both sides of its limit, and the cascade's books."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.curation.filters import heuristics as web
from nemo_lab.errors import LabError

PROSE = (
    "The committee met on Tuesday to decide whether the old bridge should be repaired or replaced. Several members "
    "argued that repair would be cheaper, and that traffic could go on while the work was done.\n"
    "Others replied with figures from the last survey: steel had lost a third of its strength, so that every winter "
    "made a failure more likely. In the end they asked two engineers to report within a month.\n"
    "Nobody expected agreement soon, but people in the town have begun to drive round by the mill."
)
RULES = {rule.name: rule for rule in web.ENGLISH}


def value(name, text):
    return RULES[name].value(web.View(text))


def test_prose_passes():
    assert web.judge(PROSE) == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("not alphanumeric", PROSE + " ::;;--" * 60),
        ("symbols per word", PROSE + " ##" * 20),
        ("digits", PROSE + " 1234567890" * 12),
        ("addresses", PROSE + "\nSee https://example.org/a/long/path/to/a/page/of/no/interest/at/all.html and" * 3),
        ("blanks", PROSE.replace(" ", "    ")),
        ("brackets", PROSE.replace(" ", " (")),
        ("notices", "We use cookies and have a privacy policy that you should read with care.\n\n" * 2 + PROSE),
        ("distinct lines", PROSE + "\nA line that comes again." * 9),
        ("distinct paragraphs", "\n\n".join([PROSE, *["One more time, the same."] * 9])),
        ("words", " ".join(PROSE.split()[:49])),
        ("lines without end mark", PROSE + "".join(f"\nAn item number {n} on a list" for n in range(40))),
        ("words with a letter", PROSE + " 1 / 2 =" * 12),
        ("common words", PROSE.upper()),
        ("mean word length", " ".join("incomprehensibilities" for _ in PROSE.split()) + ". The be to of."),
        ("longest word", PROSE + " " + "x" * 1001),
        ("lines with ellipsis", PROSE + "\nRead on ..." * 3),
        ("top 2-gram", PROSE + " buy now" * 30),
        ("repeated 5-grams", f"{PROSE}\n{PROSE}"),
        ("bullets", "\n".join("• " + line for line in PROSE.split("\n"))),
    ],
)
def test_each_rule_catches_its_own(rule, text):
    assert rule in web.judge(text)


def test_limits_are_inside():
    fifty = " ".join(["the", "and", *[f"word{n}a" for n in range(48)]]) + "."
    assert "words" not in web.judge(fifty)
    assert "words" in web.judge(fifty.replace("the ", "", 1))
    assert value("digits", "a1" * 3 + "b" * 14) == pytest.approx(3 / 20)


def test_n_gram_shares_by_hand():
    view = web.View("a b  a b\nc d")
    assert web.top_share(view, 2) == pytest.approx(6 / 11)  # 'a b' twice in 'a b a b c d'
    assert web.repeated_share(view, 2) == pytest.approx(2 / 6)
    assert web.repeated_share(web.View("x y z w v u"), 5) == 0
    assert web.top_share(web.View("one"), 2) == 0


@given(st.lists(st.sampled_from("abc"), max_size=20), st.integers(1, 6))
@settings(max_examples=80, deadline=None)
def test_repeated_share_is_what_a_search_finds(words, n):
    again = set()
    for at in range(len(words) - n + 1):
        if words[at : at + n] in [words[k : k + n] for k in range(at)]:
            again |= set(range(at, at + n))
    assert web.repeated_share(web.View(" ".join(words)), n) == pytest.approx(len(again) / max(1, len(words)))


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_is_judged(text):
    broken = web.judge(text)
    assert broken == [name for name in RULES if name in broken]  # the cascade's order, no name twice
    assert "words" in broken


def test_books_agree():
    broken = [["digits", "words"], ["words"], [], ["digits"], ["words"]]
    sizes = [5, 10, 20, 40, 80]
    rows = {row.rule: row for row in web.removals(broken, sizes)}
    assert list(rows) == ["digits", "words"]
    assert rows["digits"] == web.Removal("digits", 2, 2, 1, 45, 45, 40)
    assert rows["words"] == web.Removal("words", 3, 2, 2, 95, 90, 90)
    assert sum(row.first_bytes for row in rows.values()) == sum(s for b, s in zip(broken, sizes, strict=True) if b)


def test_rules_of_ones_own():
    mine = web.Rule("shouting", "mine", lambda view: sum(map(str.isupper, view.text)) / len(view.text), high=0.5)
    rules = [*web.ENGLISH, mine]
    broken = [web.judge(text, rules) for text in (PROSE, PROSE.upper())]
    assert "shouting" not in broken[0]
    assert broken[1][-1] == "shouting"
    assert web.removals(broken, [9, 9], rules)[-1] == web.Removal("shouting", 1, 0, 0, 9, 0, 0)
    with pytest.raises(LabError, match="Unknown rule 'shouting'"):
        web.removals(broken, [9, 9])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: web.judge(None), "text is None, expected text"),
        (lambda: web.judge("text", ["words"]), "rules are .*expected a list of Rule"),
        (lambda: web.Rule("mine", "own", lambda view: 1, low=float("nan")), "Rule 'mine' is .* from nan to inf"),
        (lambda: web.Rule("mine", "own", lambda view: 1, 2, 1), "from 2 to 1; give a function and its limits"),
        (lambda: web.Rule("mine", "own", None), "Rule 'mine' is None"),
        (lambda: web.removals(["some text"], [9]), "Unknown rule 'some text'"),
        (lambda: web.removals([["words"]], []), "give what `judge` says of each document"),
        (lambda: web.removals(None, None), "broken is None"),
        (lambda: web.top_share(web.View("a b"), 0), "n is 0"),
        (lambda: web.repeated_share(web.View("a b"), 0), "n is 0"),
    ],
)
def test_refusals(call, words):
    with pytest.raises(LabError, match=words):
        call()
