"""Packing: no token lost, each predicted once, an order that needs only the step, and documents kept apart."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny_lm import HYBRID

from nemo_lab.errors import LabError
from nemo_lab.modeling.config import HybridConfig
from nemo_lab.modeling.model import HybridLM
from nemo_lab.training import IGNORE, Packed, TrainingError, batch, batches, load_packed, pack
from nemo_lab.training.packing import batch_rows

EOS = 0
documents = st.lists(st.lists(st.integers(1, 99), max_size=20), min_size=1, max_size=12).filter(any)
lengths = st.integers(1, 17)


@given(documents, lengths)
def test_no_token_is_lost_and_each_is_predicted_exactly_once(docs, length):
    packed = pack(docs, length, eos=EOS)
    assert packed.tokens_NL.shape[1] == length
    targets = packed.targets_NL.ravel()
    predicted = targets[targets != IGNORE].tolist()
    assert predicted == list(itertools.chain.from_iterable([*doc, EOS] for doc in docs if doc))
    assert packed.n_targets == len(predicted)


@given(documents, lengths)
def test_a_document_is_eos_then_its_text_and_predicts_its_text_then_eos(docs, length):
    packed = pack(docs, length, eos=EOS)
    kept = [doc for doc in docs if doc]
    for number, doc in enumerate(kept):
        mine = packed.document_NL.ravel() == number
        assert packed.tokens_NL.ravel()[mine].tolist() == [EOS, *doc]
        assert packed.targets_NL.ravel()[mine].tolist() == [*doc, EOS]


@given(documents, lengths)
def test_document_numbers_do_not_decrease_and_padding_is_a_document_of_its_own(docs, length):
    packed = pack(docs, length, eos=EOS)
    flat = packed.document_NL.ravel()
    assert (np.diff(flat) >= 0).all()
    padding = packed.targets_NL.ravel() == IGNORE
    assert padding.sum() < length
    assert (flat[padding] == sum(map(bool, docs))).all()
    assert {array.dtype for array in (packed.tokens_NL, packed.targets_NL, flat)} == {np.dtype(np.int32)}


@given(st.integers(1, 30), st.integers(1, 40), st.integers(0, 3))
def test_every_epoch_holds_every_row_once_in_another_order(n_rows, batch_size, seed):
    n_batches = -(-3 * n_rows // batch_size)
    rows = np.concatenate([batch_rows(n_rows, batch_size, seed, step) for step in range(n_batches)])
    epochs = rows[: 3 * n_rows].reshape(3, n_rows)
    assert (np.sort(epochs, axis=1) == np.arange(n_rows)).all()
    if n_rows > 20:
        assert (epochs[0] != epochs[1]).any()


def test_batches_from_the_middle_are_the_batches_of_the_whole():
    packed = pack([range(1, 100)], 7, eos=EOS)
    whole = list(itertools.islice(batches(packed, 4, seed=1), 12))
    later = list(itertools.islice(batches(packed, 4, seed=1, start=5), 7))
    for first, second in zip(whole[5:], later, strict=True):
        assert all((a == b).all() for a, b in zip(first, second, strict=True))
    other_seed = batch(packed, 4, seed=2, step=0)
    assert (whole[0].tokens_BL != other_seed.tokens_BL).any()


def test_saved_rows_come_back_with_the_same_fingerprint(tmp_path):
    packed = pack([range(1, 100), range(5, 9)], 7, eos=EOS)
    packed.save(tmp_path / "packed.safetensors")
    again = load_packed(tmp_path / "packed.safetensors")
    assert again.fingerprint == packed.fingerprint
    assert (again.tokens_NL == packed.tokens_NL).all()
    assert [path.name for path in tmp_path.iterdir()] == ["packed.safetensors"]
    assert pack([range(1, 100), range(5, 10)], 7, eos=EOS).fingerprint != packed.fingerprint


def test_bad_input_is_one_sentence(tmp_path):
    with pytest.raises(TrainingError, match="every document is empty"):
        pack([[], []], 8, eos=EOS)
    with pytest.raises(TrainingError, match="length is 0"):
        pack([[1]], 0, eos=EOS)
    with pytest.raises(TrainingError, match="list of token ids"):
        pack([[0.5]], 8, eos=EOS)
    with pytest.raises(TrainingError, match="list of token ids"):
        pack([[-3]], 8, eos=EOS)
    ones = np.ones((2, 3), np.int32)
    with pytest.raises(TrainingError, match="one shape"):
        Packed(ones, ones, ones[:1])
    with pytest.raises(LabError, match="does not exist"):
        load_packed(tmp_path / "absent")
    (tmp_path / "text").write_text("not safetensors")
    with pytest.raises(LabError, match="no safetensors file"):
        load_packed(tmp_path / "text")


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


@pytest.mark.parametrize(
    ("documents", "length", "words"),
    [
        ([[1]], 0, "length is 0; it must be a whole number of at least 1"),
        ([[1]], None, "length is None"),
        ([[1]], 1.5, "length is 1.5"),
        (None, 8, "documents is None, expected a list of token ids for each document"),
        ([None], 8, "A document is None"),
        (["text"], 8, "A document is 'text', expected a list of token ids; encode texts first"),
        ([7], 8, "A document is 7"),
    ],
)
def test_what_cannot_be_packed_is_one_sentence(documents, length, words):
    with pytest.raises(TrainingError, match=words):
        pack(documents, length, eos=0)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((None, 4, 0, 0), "packed is None of type NoneType; make it with pack"),
        (("rows", 0, 0, 0), "batch_size is 0"),
        (("rows", 4, -1, 0), "seed is -1"),
        (("rows", 4, 0, 1.5), "step is 1.5"),
    ],
)
def test_a_batch_of_nothing_is_one_sentence(given, words):
    first, *others = given
    with pytest.raises(TrainingError, match=words):
        batch(pack([[1, 2, 3]], 2, eos=0) if first == "rows" else first, *others)
