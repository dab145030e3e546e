"""The papers' figures agree with each other where they overlap, and with the sizes of the models."""

from nemo_lab.modeling import costs
from nemo_lab.modeling.presets import preset
from nemo_lab.studies.pruning_distillation import published


def test_children_of_table_1_are_4b_models_but_for_rounding() -> None:
    parent = preset("nemotron-h-8b")
    for name, (layers, d_model, d_ff, heads, channels), _, _ in published.TABLE_1:
        pattern = parent.pattern if layers == 52 else parent.pattern[:layers]
        child = parent.with_(pattern=pattern, d_model=d_model, d_ff=d_ff, ssm_heads=heads, ssm_head_dim=channels)
        if layers == 52:
            assert abs(costs.parameter_count(child) / 4.49e9 - 1) < 0.03, name
    assert published.TABLE_1[0][1] == (52, 3072, 12288, 112, 64)


def test_pruning_costs_more_the_more_is_pruned_and_channels_cost_more_than_heads() -> None:
    heads, channels = (published.FIGURE_7_LOSS[axis] for axis in ("heads", "channels"))
    assert len(heads) == len(channels) == len(published.FIGURE_7_PERCENT)
    assert list(heads) == sorted(heads)
    assert list(channels) == sorted(channels)
    assert all(c > h for h, c in zip(heads[1:], channels[1:], strict=True))
    assert published.excess(heads)[:2] == (0.0, 0.052)


def test_the_published_score_place_wins_four_of_six_rows() -> None:
    """In a fifth row it is level with W_O."""
    x = published.TABLE_2_PLACES.index("x")
    rows = published.TABLE_2.values()
    assert sum(row[x] < min(row[:x] + row[x + 1 :]) for row in rows) == 4
    assert sum(row[x] == min(row[:x] + row[x + 1 :]) for row in rows) == 1
