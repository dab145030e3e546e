"""The live curve draws where somebody watches and nowhere else."""

from nemo_lab.reasoning import live


def test_nothing_is_drawn_when_nobody_watches(monkeypatch):
    monkeypatch.setenv("NEMO_LAB_PROGRESS", "0")
    with live.live_curve(["reward"]) as show:
        assert show({"step": 1.0, "reward": 0.5}) is None


def test_a_watched_curve_is_updated(monkeypatch):
    shown = []

    class Handle:
        def update(self, figure):
            shown.append([line.get_ydata().tolist() for line in figure.axes[0].lines])

    monkeypatch.setenv("NEMO_LAB_PROGRESS", "1")
    monkeypatch.setattr("IPython.display.display", lambda figure, display_id: Handle())
    with live.live_curve(["reward"], every=2) as show:
        for step in range(4):
            show({"step": step, "reward": step / 4})
    assert shown == [[[0.0, 0.25]], [[0.0, 0.25, 0.5, 0.75]]]
