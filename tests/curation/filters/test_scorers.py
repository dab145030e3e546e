"""Scorers on sets whose answer is known; annotators at their ends."""

import numpy as np
import pytest

from nemo_lab.curation.filters import annotators, scorers
from nemo_lab.errors import LabError


def sentences(words, count, seed):
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(words, 12)) + "?" for _ in range(count)]


ASKING = [
    "why",
    "does",
    "how",
    "explain",
    "question",
    "answer",
    "which",
    "what",
    "reason",
    "because",
    "think",
    "step",
]
SELLING = ["buy", "sale", "now", "menu", "login", "cart", "price", "offer", "click", "here", "cheap", "deal"]


def test_ngrams_tell_new_texts_apart():
    model = scorers.NgramClassifier.fit(sentences(ASKING, 40, 0), sentences(SELLING, 80, 1))
    high, low = model.score(sentences(ASKING, 20, 2)), model.score(sentences(SELLING, 20, 3))
    assert high.min() > 0.5 > low.max()
    assert model.score([]).shape == (0,)


def test_ngrams_read_pairs_and_not_only_words():
    one, two = ["x a b y"] * 20, ["x b a y"] * 20  # the same words in another order
    model = scorers.NgramClassifier.fit(one, two)
    assert model.score(["a b"])[0] > 0.5 > model.score(["b a"])[0]


def test_regressor_finds_a_linear_rule_and_shuffled_labels_do_not():
    generator = np.random.default_rng(0)
    x_ND, w_D = generator.normal(size=(300, 16)), generator.normal(size=16)
    y_N = x_ND @ w_D + 2.5 + 0.1 * generator.normal(size=300)
    model = scorers.EmbeddingRegressor.fit(x_ND[:200], y_N[:200])
    assert model.weights_D == pytest.approx(w_D, abs=0.05)
    assert model.bias == pytest.approx(2.5, abs=0.05)
    assert scorers.correlation(model.score(x_ND[200:]), y_N[200:]) > 0.99
    shuffled = scorers.EmbeddingRegressor.fit(x_ND[:200], generator.permutation(y_N[:200]))
    assert abs(scorers.correlation(shuffled.score(x_ND[200:]), y_N[200:])) < 0.5
    assert shuffled.penalty > model.penalty


def test_pairs_in_the_right_order_are_the_area_under_the_curve():
    from sklearn.metrics import roc_auc_score

    generator = np.random.default_rng(5)
    good = generator.random(80) < 0.3
    scores = np.round(generator.normal(size=80) + good, 1)  # with ties
    assert scorers.ranked_right(scores, good) == pytest.approx(roc_auc_score(good, scores))
    assert scorers.ranked_right([1, 1, 1], [True, False, False]) == 0.5
    assert scorers.ranked_right([2, 1], [True, True]) == 0.5


def test_refusals():
    with pytest.raises(LabError, match="0 positives and 1 negatives"):
        scorers.NgramClassifier.fit([], ["a"])
    with pytest.raises(LabError, match="one each"):
        scorers.EmbeddingRegressor.fit(np.zeros((3, 2)), [1.0, 2.0])


GOOD = (
    "Water boils when the pressure of its vapour is as high as that of the air above it. For example, on a "
    "mountain the air is thinner, and so water boils at a lower temperature. Therefore potatoes take longer there. "
    "However, in a closed pot the pressure rises, which means that the water gets hotter than usual before it boils. "
) * 3
MENU = "Home\nAbout\nLogin\nNext\nPrevious\nSearch\nContact\nPrivacy\n" * 12


def test_the_rubric_knows_an_explanation_from_a_menu():
    high, low, nothing = annotators.rubric([GOOD, MENU, ""])
    assert high > 3.5
    assert low < 1.5
    assert nothing == 0
    assert (annotators.rubric([GOOD] * 2) == high).all()


class OneAnswer:
    """A model whose next token is always the same digit, and a tokenizer of single characters."""

    pad_token_id = 0

    def __init__(self, digit):
        self.digit, self.seen = ord(digit), []

    def encode(self, text, add_special_tokens=False):
        return [min(ord(sign), 255) for sign in text]

    def decode(self, ids):
        return "".join(map(chr, ids))

    def apply_chat_template(self, chat, tokenize, add_generation_prompt):
        return chat[0]["content"]

    def eval(self):
        return self

    def __call__(self, tokens_BL, attention_mask, position_ids, logits_to_keep):
        import torch

        self.seen += [row[mask.bool()].tolist() for row, mask in zip(tokens_BL, attention_mask, strict=True)]
        assert (position_ids[attention_mask.bool()] < tokens_BL.shape[1]).all()
        logits = torch.full((len(tokens_BL), 1, 256), -50.0)
        logits[:, :, self.digit] = 0.0
        return type("Out", (), {"logits": logits})


@pytest.mark.parametrize("digit", list("012345"))
def test_the_answer_is_the_mean_digit(digit):
    model = OneAnswer(digit)
    assert annotators.ask(["abc", "d" * 999, ""], model, model, batch_size=2) == pytest.approx(float(digit), abs=1e-6)
    shown = "".join(map(chr, model.seen[0]))
    assert "d" * 160 in shown
    assert "d" * 161 not in shown


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: scorers.EmbeddingRegressor.fit([], []), "There are 0 labels"),
        (lambda: scorers.EmbeddingRegressor.fit(np.zeros((3, 2)), None), "labels"),
        (lambda: scorers.EmbeddingRegressor(np.ones(3), 0.0, 1.0).score(np.ones((2, 4))), "documents x 3 finite"),
        (lambda: scorers.EmbeddingRegressor(np.ones(1), 0.0, 1.0).score([[float("nan")]]), "documents x 1 finite"),
        (lambda: scorers.NgramClassifier.fit("good", ["bad"]), "positives is one text, 'good'"),
        (lambda: scorers.NgramClassifier.fit(["good"], [None]), "Text 0 of negatives is None"),
        (lambda: scorers.NgramClassifier.fit(["good"], ["bad"]).score("good"), "texts is one text"),
        (lambda: annotators.rubric("one text"), "texts is one text"),
        (lambda: annotators.ask(["text"], None, None, tokens=0), "tokens is 0"),
        (lambda: annotators.ask(["text"], None, None, batch_size=0), "batch_size is 0"),
        (lambda: scorers.EmbeddingRegressor.fit(np.ones((3, 2)), [1.0, 2.0, np.nan]), "3 labels 1 are no numbers"),
        (lambda: scorers.EmbeddingRegressor.fit([[np.nan], [1], [2]], [1.0, 2.0, 3.0]), "vectors 1 are no numbers"),
        (lambda: scorers.ranked_right([np.nan, 1.0], [True, False]), "1 are no numbers"),
        (lambda: scorers.ranked_right([1.0], [True, False]), "one length"),
    ],
)
def test_values_that_are_no_numbers_are_refused(call, words):
    with pytest.raises(LabError, match=words):
        call()


def test_no_vectors_have_no_scores():
    regressor = scorers.EmbeddingRegressor.fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    assert regressor.score([]).shape == (0,)
