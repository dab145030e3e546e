"""Pages of prose for the tests of `nemo-lab curate`: what jusText takes for content, each different."""

import random
import re

from tests.curation.made_pages import page

NOUNS = re.findall(
    r"\w+",
    "river harbour lantern garden market window captain village letter winter bridge painter forest engine "
    "teacher island kitchen mountain library sailor orchard valley carpenter meadow tower cellar miller",
)
VERBS = re.findall(r"\w+", "followed watched repaired carried remembered painted described measured visited opened")
GERMAN = (
    "Der Fluss war in diesem Jahr so hoch, dass die Leute aus dem Dorf nicht auf den Markt gehen konnten, und weil die "
    "Brücke noch nicht fertig war, blieben sie bei dem Müller, der ihnen von den alten Zeiten erzählte. "
)
QUOTE = "How many ways are there to seat five people at a round table if two of them refuse to sit together?"


CAUSES = "because nobody else {v} it|since the {n} had been {v} by then|so that the {n} could be {v}|when it was {v}"
PLACES = (
    "to the {n} and the {m}|with a {n} for the {m}|from the {n} by the {m}|at the {n} of his {m}|near that {n} or {m}"
)


def prose(number: int, sentences: int = 0) -> str:
    """English sentences, different for each number, some of which explain; how many of either depends on it, too."""
    draw = random.Random(number)
    explaining = draw.random()
    parts = []
    for _ in range(sentences or draw.randrange(6, 20)):
        one, two, three, four = draw.sample(NOUNS, 4)
        verb, other = draw.sample(VERBS, 2)
        end = draw.choice((CAUSES if draw.random() < explaining else PLACES).split("|")).format(
            n=three, m=four, v=other
        )
        start = draw.choice(("In {y} the", "The", "One day in {y} a", "That")).format(y=draw.randrange(1500, 2000))
        parts.append(f"{start} {one} {verb} {draw.choice(('the', 'his', 'a', 'her', 'this'))} {two} {end}.")
    return " ".join(parts)


def prose_page(text: str, title: str = "A page") -> str:
    """A page with a menu, the text as paragraphs, and a footer."""
    menu = "".join(f'<li><a href="/{n}">Section {n}</a></li>' for n in range(8))
    sentences = text.split(". ")
    middle = len(sentences) // 2
    halves = ". ".join(sentences[:middle]) + ".", ". ".join(sentences[middle:])
    return page(f"<nav><ul>{menu}</ul></nav><h1>{title}</h1><p>{halves[0]}</p><p>{halves[1]}</p>", title)
