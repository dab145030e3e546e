"""The rubric knows an explanation, and the answer of a chat model is its mean digit."""

import pytest

from nemo_lab.curation.filters import annotators
from nemo_lab.errors import LabError

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
        (lambda: annotators.rubric("one text"), "texts is one text"),
        (lambda: annotators.ask(["text"], None, None, tokens=0), "tokens is 0"),
        (lambda: annotators.ask(["text"], None, None, batch_size=0), "batch_size is 0"),
    ],
)
def test_what_cannot_be_judged_is_refused(call, words):
    with pytest.raises(LabError, match=words):
        call()
