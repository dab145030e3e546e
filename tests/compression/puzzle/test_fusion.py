"""Fusion: exact where the theorem says so; the dependency matrix by its definition."""

import pytest
import tiny_puzzle
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.compression.puzzle import fusion
from nemo_lab.compression.puzzle.model import PuzzleConfig, PuzzleForCausalLM
from nemo_lab.compression.puzzle.scores import walk_layers
from nemo_lab.errors import LabError
from nemo_lab.studies.puzzle_nas.trials import fusion_error


def child(blocks, seed=0):
    torch.manual_seed(seed)
    model = PuzzleForCausalLM(PuzzleConfig(**tiny_puzzle.SIZES, blocks=blocks)).eval()
    for weight in model.parameters():
        weight.data.add_(0.1 * torch.randn_like(weight))  # norms too
    return model


@given(st.integers(0, 10_000), st.lists(st.sampled_from([6, 12, 24]), min_size=4, max_size=4), st.integers(1, 3))
@settings(max_examples=20, deadline=None)
def test_one_wide_part_is_the_sum_of_its_parts(seed, widths, last):
    model = child([[0, width] for width in widths], seed)
    assert fusion_error(model, 0, last, torch.randn(2, 5, 36)) < 1e-5


def test_fused_model():
    model, tokens = child([[3, 24], [1, 12], [0, 24], [0, 6]]), tiny_puzzle.rows(2)
    fused = fusion.fuse(model, 1, 3)
    assert fused.config.blocks == [[3, 24], [1, 42], [0, 0], [0, 0]]
    assert sum(w.numel() for w in fused.parameters()) == sum(w.numel() for w in model.parameters()) - 2 * 36
    _, (stream,) = walk_layers(model, tokens, [0])
    from nemo_lab.compression.puzzle.parts import start_of

    context = start_of(model, tokens)[1]
    stream = stream + model.model.layers[1].attend(stream, **context)
    stream = stream + fusion.side_by_side(model, 1, 3, stream)
    torch.testing.assert_close(fused.model.norm(stream), walk_layers(fused, tokens)[0], atol=1e-4, rtol=1e-4)
    assert not torch.allclose(walk_layers(fused, tokens)[0], walk_layers(model, tokens)[0], atol=1e-2)


def test_a_fused_child_opens_again(tmp_path):
    fused, tokens = fusion.fuse(child([[3, 24], [1, 12], [0, 24], [0, 6]]), 1, 2), tiny_puzzle.rows(1)
    fused.save_pretrained(tmp_path)
    assert torch.equal(PuzzleForCausalLM.from_pretrained(tmp_path)(tokens).logits, fused(tokens).logits)


@pytest.mark.parametrize(
    ("first", "last", "message"), [(0, 0, "no run of at least two"), (0, 1, "has attention"), (1, 3, "no SwiGLU")]
)
def test_what_cannot_be_fused(first, last, message):
    with pytest.raises(LabError, match=message):
        fusion.fuse(child([[3, 24], [1, 24], [0, 24], [0, "linear"]]), first, last)


def test_dependency_matrix_is_its_definition():
    model, tokens = tiny_puzzle.parent(), tiny_puzzle.rows(2)
    matrix = fusion.dependency_matrix(model, tokens, progress=False)
    assert torch.equal(matrix, matrix.triu(1))
    assert (matrix[torch.triu_indices(4, 4, 1).unbind()] > 0).all()
    _, whole = walk_layers(model, tokens, range(4))
    without = child([[3, 24], [0, 0], [3, 24], [3, 24]])
    without.load_state_dict({k: v for k, v in model.state_dict().items() if ".layers.1." not in k})
    _, cut = walk_layers(without, tokens, range(4))
    distance = 1 - torch.cosine_similarity(whole[3] - whole[2], cut[3] - cut[2], dim=-1).mean()
    assert matrix[1, 3].item() == pytest.approx(distance.item(), abs=1e-5)
