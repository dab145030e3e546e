"""Nothing of one document reaches another in the real model, forward or backward."""

import dataclasses

import pytest
import torch
from tiny_lm import HYBRID

from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.model import HybridLM
from nemo_lab.training import pack

FIRST, OTHER, SECOND = list(range(1, 22)), [25] * 21, list(range(30, 49))


@pytest.fixture(params=["M", "*-", "M-*-M-", "rope"])
def model(request):
    rope = request.param == "rope"
    config = HybridConfig(**HYBRID | {"pattern": "*-*-" if rope else request.param})
    return HybridLM(dataclasses.replace(config, rope_theta=1e4 if rope else 0.0), seed=1)


def row(first):
    packed = pack([first, SECOND], 42, eos=0)
    assert len(packed) == 1
    arrays = (packed.tokens_NL, packed.targets_NL, packed.document_NL)
    return [torch.from_numpy(array).long() for array in arrays]


def losses_of_second(model, first, use_documents=True):
    tokens, targets, document = row(first)
    nats = model.loss(tokens, targets, document if use_documents else None, reduction="none")
    return nats[document == 1]


def test_another_first_document_leaves_the_losses_of_the_second(model):
    before = losses_of_second(model, FIRST)
    after = losses_of_second(model, OTHER)
    torch.testing.assert_close(after, before, rtol=0, atol=1e-6)
    mixed = losses_of_second(model, FIRST, use_documents=False)
    leaked = losses_of_second(model, OTHER, use_documents=False)
    assert (mixed - leaked).abs().max() > 1e-5  # the check can fail


def gradient_share(model, use_documents):
    """Largest gradient at a token of the first document over the largest at one of the second."""
    model.zero_grad()
    losses_of_second(model, FIRST, use_documents).sum().backward()
    gradient = model.embedding.weight.grad.abs().amax(-1)
    return (gradient[FIRST].max() / gradient[SECOND].max()).item()


def test_the_second_documents_loss_has_no_gradient_at_the_first_documents_tokens(model):
    """Up to rounding: sums over a row that cancel leave a few parts in ten million."""
    assert gradient_share(model, use_documents=True) < 1e-6
    assert gradient_share(model, use_documents=False) > 1e-4  # the check can fail


def test_the_second_document_costs_what_it_costs_alone(model):
    tokens = torch.tensor([[0, *SECOND]])
    alone = model.loss(tokens, torch.tensor([[*SECOND, 0]]), reduction="none")[0]
    torch.testing.assert_close(losses_of_second(model, FIRST), alone, rtol=0, atol=2e-6)
