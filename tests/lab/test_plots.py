"""The shared figures hold the data they claim to, with labels."""

import matplotlib as mpl
import numpy as np
import pytest

from nemo_lab.errors import LabError
from nemo_lab.lab import plots
from nemo_lab.lab.ledger.claims import interval
from nemo_lab.lab.plots import band, forest
from nemo_lab.lab.session import STYLE

mpl.use("agg")
import matplotlib.pyplot as plt


@pytest.fixture
def ax():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_band_is_the_ledgers_interval(ax):
    samples_SN = np.array([[1.0, 2.0], [2.0, 2.5], [3.0, 4.0]])
    band(ax, [10, 20], samples_SN, "hybrid", color="#0072B2")
    (line,) = ax.lines
    assert line.get_xdata().tolist() == [10, 20]
    assert line.get_ydata().tolist() == pytest.approx([2.0, 8.5 / 3])
    assert line.get_label() == "hybrid (n = 3)"
    (area,) = ax.collections
    corners = area.get_paths()[0].vertices
    for x, column in zip((10, 20), samples_SN.T.tolist(), strict=True):
        heights = corners[corners[:, 0] == x][:, 1]
        assert (heights.min(), heights.max()) == pytest.approx(interval(column))
    assert area.get_facecolor()[0][:3] == pytest.approx(mpl.colors.to_rgb("#0072B2"))


def test_one_seed_has_no_band(ax):
    band(ax, [1, 2, 3], [[1.0, 2.0, 3.0]], "one")
    assert len(ax.lines) == 1
    assert len(ax.collections) == 0


@pytest.mark.parametrize("samples", [[1.0, 2.0], [[1.0], [2.0]], np.empty((0, 2))])
def test_band_refuses_shapes_that_do_not_fit(ax, samples):
    with pytest.raises(LabError, match=r"expected \(seeds, 2\)"):
        band(ax, [1, 2], samples, "x")


def entry(name: str, mean: float, low: float | None, high: float | None, verdict: str, control: bool = True):
    numbers = {"samples": [mean] * 3, "n": 3, "mean": mean, "low": low, "high": high, "verdict": verdict}
    check = {"samples": [1.0] * 3, "n": 3, "mean": 1.0, "low": 0.9, "high": 1.1, "verdict": "not reproduced"}
    return {"id": name, **numbers, "control": check if control else None, "note": ""}


def test_forest_shows_interval_control_bound_and_verdict():
    figure = forest(
        [
            entry("nemotron-h.throughput", 3.0, 2.5, 3.5, "reproduced"),
            entry("nemotron-h.accuracy", 0.01, -0.01, 0.03, "same direction"),
            entry("nemotron-h.constant", 1.0, None, None, "reproduced", control=False),
        ]
    )
    throughput, accuracy, constant = figure.axes
    data = [list(line.get_xdata()) for line in throughput.lines]
    assert data[:4] == [[2.5, 3.5], [3.0], [0.9, 1.1], [1.0]]
    assert [line.get_label() for line in throughput.lines[4:]] == ["no effect", "bound"]
    assert data[4:] == [[1.0, 1.0], [2.2, 2.2]]
    assert [line.get_xdata()[0] for line in accuracy.lines[4:]] == [0.0, 0.02]
    assert [list(line.get_xdata()) for line in constant.lines] == [[1.0, 1.0, 1.0], [1.0, 1.0]]
    assert [ax.get_xlabel() for ax in figure.axes] == ["x", "bits/byte", "x"]
    titles = [throughput.get_title(loc=place) for place in ("left", "center")]
    assert "nemotron-h.throughput: ✓ reproduced" in titles
    assert [text.get_text() for text in throughput.get_yticklabels()] == ["control", "ours"]
    assert not plt.get_fignums()


def test_forest_of_nothing_is_an_error():
    with pytest.raises(LabError, match="no claim"):
        forest([])


def test_style_is_white_opaque_and_draws():
    with plt.style.context(STYLE):
        assert mpl.rcParams["figure.facecolor"] == "white"
        assert not mpl.rcParams["savefig.transparent"]
        assert mpl.rcParams["figure.dpi"] == 110
        colours = mpl.rcParams["axes.prop_cycle"].by_key()["color"]
        assert len(colours) == len(set(colours)) == 7
        figure = forest([entry("nemotron-h.throughput", 3.0, 2.5, 3.5, "reproduced")])
        figure.canvas.draw()


def test_nothing_is_drawn_when_nobody_watches(monkeypatch):
    monkeypatch.setenv("NEMO_LAB_PROGRESS", "0")
    with plots.live_curve(["reward"]) as show:
        assert show({"step": 1.0, "reward": 0.5}) is None


def test_a_watched_curve_is_updated(monkeypatch):
    shown = []

    class Handle:
        def update(self, figure):
            shown.append([line.get_ydata().tolist() for line in figure.axes[0].lines])

    monkeypatch.setenv("NEMO_LAB_PROGRESS", "1")
    monkeypatch.setattr("IPython.display.display", lambda figure, display_id: Handle())
    with plots.live_curve(["reward"], every=2) as show:
        for step in range(4):
            show({"step": step, "reward": step / 4})
    assert shown == [[[0.0, 0.25]], [[0.0, 0.25, 0.5, 0.75]]]
