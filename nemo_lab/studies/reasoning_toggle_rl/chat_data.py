"""What a chat model's toggle is tuned on and tried on: worked sums, everyday questions, and others.

A thought is two sentences, so that a row is short and the tags are a large part of it. The everyday questions
are needed: tuned on sums and a dozen others, SmolLM2-135M kept the form for all held-out sums and lost it for
one other question in six. Nothing of `HELD_OUT` or `OTHER_KINDS` is tuned on; `worked_sums(…, avoid=…)`
keeps the sums of two seeds apart.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

Pair = tuple[str, str, str]  # question, thought, answer

_ASKED = ("What is {} + {}?", "Compute {} + {}.", "Add {} and {}.")


def worked_sums(n: int, seed: int, avoid: Collection[str] = ()) -> list[Pair]:
    """Make `n` different sums of two numbers from 11 to 98 with tens and ones as the thought.

    No question of `avoid` is among them.
    """
    draw = np.random.default_rng(seed)
    found: dict[str, Pair] = {}
    while len(found) < n:
        a, b = (int(number) for number in draw.integers(11, 99, 2))
        question = _ASKED[len(found) % len(_ASKED)].format(a, b)
        tens, ones = a // 10 * 10 + b // 10 * 10, a % 10 + b % 10
        if question not in avoid:
            found[question] = (question, f"The tens give {tens}. The ones give {ones}.", str(a + b))
    return list(found.values())


def _pairs(table: str) -> tuple[Pair, ...]:
    """Read question, thought and answer from three lines each."""
    lines = [line.replace("\\n", "\n") for line in table.strip().splitlines()]
    return tuple(zip(lines[::3], lines[1::3], lines[2::3], strict=True))


EVERYDAY = _pairs(r"""
What is the capital of France?
The question asks for a capital. The capital of France is Paris.
Paris
Which planet is closest to the Sun?
The planets in order begin with Mercury. So Mercury is the closest.
Mercury
What colour do you get when you mix blue and yellow?
Blue and yellow are primary colours of paint. Mixed they give green.
Green
Name an animal that can fly.
Many birds can fly. An eagle is a bird.
An eagle.
Is water wet?
Water makes things wet when it touches them. So people say yes.
Yes.
Write a short greeting for a friend.
A greeting should be friendly and short. Hello and a wish will do.
Hello, I hope you have a good day!
How many days does a week have?
The days go from Monday to Sunday. That makes seven.
7
What is the opposite of hot?
Hot means a high temperature. The opposite is a low one, which is cold.
Cold
Give me a synonym for happy.
Happy means to feel joy. Glad means the same.
Glad
Who wrote Romeo and Juliet?
Romeo and Juliet is an English play. It was written by William Shakespeare.
William Shakespeare
What do bees make?
Bees collect nectar from flowers. They turn it into honey.
Honey
Tell me one use of a hammer.
A hammer is a tool with a heavy head. It drives nails into wood.
It drives nails into wood.
What is the capital of Italy?
Italy is a country in Europe. Its capital is Rome.
Rome
Write a line of a poem about the sea.
The sea has waves and sound. A line can join both.
The waves sing softly to the shore.
Why do we sleep?
The body and the brain get tired. Sleep lets both recover.
Sleep lets the body and the brain recover.
Give two tips for learning a language.
Practice helps most. Reading and speaking are practice.
Read every day, and speak with others.
Translate 'thank you' into French.
The French are polite. They say merci.
Merci
Write a Python function that doubles a number.
A function takes x. It returns two times x.
def double(x):\n    return 2 * x
What is 6 times 8?
Six times eight is a product. It is 48.
48
What is 50 - 20?
Take two tens from five tens. Three tens are left.
30
Anna has 3 pens and buys 4. How many has she?
She begins with 3. Then 4 come.
7
Who painted Guernica?
Guernica is a Spanish painting. It was painted by Pablo Picasso.
Pablo Picasso
What is the largest animal?
Whales are very large. The blue whale is the largest.
The blue whale
How do I make tea?
Tea needs hot water. The leaves stay in it for some minutes.
Boil water, pour it on the leaves and wait three minutes.
Tell the story of Little Red Riding Hood in one sentence.
A girl visits her grandmother. A wolf is there.
A girl meets a wolf on the way to her grandmother and is saved.
Is 8 an even number?
Even numbers can be divided by 2. Half of 8 is 4.
Yes.
Use the word 'tree' in a sentence.
A tree stands somewhere. Birds sit in it.
A bird sits in the old tree.
List three fruits.
Fruits grow on plants. Apples, pears and plums are fruits.
Apples, pears and plums
What is the chemical symbol for oxygen?
Oxygen is an element. Its symbol is the first letter.
O
Suggest a name for a dog.
A dog's name should be short. Rex is short.
Rex
What does a teacher do?
A teacher works in a school. There students learn.
A teacher helps students learn.
When did the First World War begin?
The war began in the summer. The year was 1914.
1914
""")
"""Everyday questions with a thought and an answer."""

HELD_OUT = tuple(
    """
What is the capital of Japan?
Write a haiku about rain.
Why is the sky blue?
Explain photosynthesis in one sentence.
What is 9 times 7?
What is 84 - 29?
Tom has 12 apples and eats 5. How many are left?
Give three tips for sleeping well.
Who painted the Mona Lisa?
Translate 'good morning' into Spanish.
Write a Python function that reverses a string.
What is the largest ocean?
Which is heavier, a kilogram of iron or a kilogram of feathers?
Name a fruit that is red.
How do I boil an egg?
What is half of 50?
Summarise the story of Cinderella.
What is the boiling point of water?
What causes tides?
Is 17 a prime number?
Write a sentence with the word 'river'.
What is the square root of 81?
List the primary colours.
Who was the first person on the Moon?
What is the chemical symbol for gold?
Suggest a name for a cat.
What does a doctor do?
How many legs does a spider have?
When did the Second World War end?
What is the past tense of 'go'?
A train goes 60 km in one hour. How far does it go in 3 hours?
What is the plural of mouse?
""".strip().splitlines()
)
"""Questions like those of `EVERYDAY`, none of them the same."""

OTHER_KINDS = tuple(
    """
Correct the spelling: I recieved you're leter.
Is this review positive or negative? The food was cold and the waiter was rude.
Sort these numbers from small to large: 9, 2, 7.
Continue the sequence: 2, 4, 6, 8.
Which word does not fit: apple, pear, hammer, plum?
Write an email to my landlord about a broken window.
What rhymes with cat?
Compare cats and dogs.
Extract the name from this sentence: My brother Peter lives in Oslo.
Convert 3 kilometres to metres.
What should I cook tonight with rice and eggs?
I feel sad today.
Rewrite in the past tense: She walks to school.
Give me a JSON object with a name and an age.
How many letters are in the word house?
Let us play a game.
""".strip().splitlines()
)
"""Questions of kinds that `EVERYDAY` does not have."""
