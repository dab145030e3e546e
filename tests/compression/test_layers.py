"""Layer scores against models that really lack the layer; iterative removal against doing it by hand."""

import pytest
import torch
import torch.nn.functional as F
from tiny_pruning import TINY, make_model, make_rows

from nemo_lab.compression.layers import MEASURES, layer_scores, remove_iteratively
from nemo_lab.compression.slicing import removed_layers
from nemo_lab.errors import LabError

ROWS = make_rows()


def compared(model, pruned) -> dict[str, float]:
    with torch.no_grad():
        full, cut = (m(ROWS.tokens_BL, ROWS.document_BL) for m in (model, pruned))
        h, k = (m.hidden(ROWS.tokens_BL, ROWS.document_BL) for m in (model, pruned))
        a, b = (F.cross_entropy(z.flatten(0, 1), ROWS.targets_BL.flatten()) for z in (full, cut))
    kl = F.kl_div(cut.log_softmax(-1), full.log_softmax(-1), log_target=True, reduction="none").sum(-1).mean()
    found = {"hidden mse": F.mse_loss(k, h), "logits mse": F.mse_loss(cut, full), "logits kl": kl, "loss": b - a}
    return {name: float(value) for name, value in found.items()}


def test_scores_are_those_of_models_without_the_layer() -> None:
    model = make_model()
    scores = layer_scores(model, [ROWS])
    assert set(scores) == set(MEASURES)
    for i in range(len(TINY.pattern)):
        for name, value in compared(model, removed_layers(model, (i,))).items():
            assert scores[name][i] == pytest.approx(value, rel=1e-6, abs=1e-9), (name, i)
    again = layer_scores(model, [ROWS], removed=(1, 3))
    assert again["loss"][1] == again["cosine"][3] == float("inf")
    for i in (0, 2, 4, 5):
        for name, value in compared(model, removed_layers(model, (1, 3, i))).items():
            assert again[name][i] == pytest.approx(value, rel=1e-6, abs=1e-9), (name, i)


def test_a_layer_that_does_nothing_scores_zero() -> None:
    model = make_model()
    with torch.no_grad():
        model.blocks[3].mixer.down_proj.weight.zero_()
    scores = layer_scores(model, [ROWS])
    for name in MEASURES:
        assert abs(scores[name][3]) < 1e-12
        assert min(scores[name]) == pytest.approx(scores[name][3], abs=1e-12) or name == "loss"


def test_iterative_removal_scores_anew_after_each_layer() -> None:
    model = make_model()
    order = remove_iteratively(model, [ROWS], 3, "logits mse")
    gone: tuple[int, ...] = ()
    for place in order:
        scores = layer_scores(model, [ROWS], gone)["logits mse"]
        assert place == min((i for i in range(6) if i not in gone), key=lambda i: scores[i])
        gone = (*gone, place)
    mamba_only = remove_iteratively(model, [ROWS], 2, "loss", may_go=lambda i, gone: TINY.pattern[i] == "M")
    assert sorted(mamba_only) == [0, 4]


def test_mistakes_are_named() -> None:
    model = make_model()
    with pytest.raises(LabError, match="Unknown measure 'mse'"):
        remove_iteratively(model, [ROWS], 1, "mse")
    with pytest.raises(LabError, match="Only 5 layers can be removed, not 6"):
        remove_iteratively(model, [ROWS], 6)
    with pytest.raises(LabError, match="no calibration text"):
        layer_scores(model, [])


def test_of_two_layers_that_stand_in_for_each_other_only_the_iterative_ranking_keeps_one() -> None:
    """Two FFNs write the same large vector: after the final norm one of them is as good as both."""
    model = make_model(TINY.with_(pattern="--M", d_ff=1))
    with torch.no_grad():
        for layer in (0, 1):
            model.blocks[layer].mixer.up_proj.weight.zero_()
            model.blocks[layer].mixer.up_proj.weight[0, 0] = 1.0
            model.blocks[layer].norm.weight.zero_()
            model.blocks[layer].norm.weight[0] = 1.0
            model.blocks[layer].mixer.down_proj.weight.fill_(50.0)
        model.embedding.weight[:, 0] = 3.0
        model.blocks[2].mixer.out_proj.weight.mul_(20.0)
    scores = layer_scores(model, [ROWS])["logits mse"]
    assert max(scores[:2]) < scores[2]
    assert 2 in remove_iteratively(model, [ROWS], 2)


def test_padding_counts_for_nothing() -> None:
    """Rows padded behind their end score as without the padding, whatever stands there."""
    model = make_model()
    short = ROWS._replace(**{name: getattr(ROWS, name)[:, :13] for name in ROWS._fields})
    targets = ROWS.targets_BL.clone()
    targets[:, 13:] = -100
    scores, expected = layer_scores(model, [ROWS._replace(targets_BL=targets)]), layer_scores(model, [short])
    assert scores != layer_scores(model, [ROWS])
    for name in MEASURES:
        assert scores[name] == pytest.approx(expected[name], rel=1e-9, abs=1e-12), name
    both = layer_scores(model, [short, ROWS])  # every token counts alike
    for name in MEASURES:
        whole = layer_scores(model, [ROWS])[name]
        mixed = [(13 * a + 21 * b) / 34 for a, b in zip(expected[name], whole, strict=True)]
        assert both[name] == pytest.approx(mixed, rel=1e-9, abs=1e-12), name
    with pytest.raises(LabError, match="targets other than -100"):
        layer_scores(model, [ROWS._replace(targets_BL=torch.full_like(targets, -100))])


@pytest.mark.parametrize("removed", [[6], [-1], None, 5, ["a"]])
def test_only_layers_can_be_gone(removed):
    with pytest.raises(LabError, match=r"Layer .* cannot be gone: the layers are numbered from 0 to 5"):
        layer_scores(make_model(), [ROWS], removed)


@pytest.mark.parametrize("count", [-1, 1.5, None])
def test_a_number_of_layers_is_whole(count):
    with pytest.raises(LabError, match=f"count is {count!r}; it must be a whole number of at least 0"):
        remove_iteratively(make_model(), [ROWS], count)


def test_what_is_no_batch_is_one_sentence():
    with pytest.raises(LabError, match="Batch 0 is None, expected tokens"):
        layer_scores(make_model(), [None])
