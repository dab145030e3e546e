"""Stand-ins for what a study calls (`train`, `score`, `answer`): they keep what reaches them.

A study is evidence only where the right seed, split, text and control reach what it calls, and a wrong one among them
breaks no type and no shape. So the test of a study puts recorders in the place of what it calls and looks:

    trained = record(monkeypatch, runs, "train")
    runs.train_parent(config, 7, rows, settings, [], score)
    assert trained.only("data") is rows
    assert trained.only("settings").seed == 7
"""

import inspect
from collections.abc import Callable
from typing import Any

import pytest


class Recorder:
    """Stands for a function or class: keeps the arguments of each call, defaults included, by the original's names."""

    def __init__(self, original: Callable[..., Any], answer: Callable[..., Any]) -> None:
        self.original, self.answer = original, answer
        self.calls: list[dict[str, Any]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        bound = inspect.signature(self.original).bind(*args, **kwargs)
        bound.apply_defaults()
        self.calls.append(dict(bound.arguments))
        return self.answer(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """What a stand-in for a class is asked for besides being called."""
        return getattr(self.original, name)

    def all(self, name: str) -> list[Any]:
        """What was given as this argument, call by call."""
        return [call[name] for call in self.calls]

    def only(self, name: str) -> Any:
        """What was given as this argument in the one call there was."""
        assert len(self.calls) == 1, f"{len(self.calls)} calls, not one"
        return self.calls[0][name]


def record(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, answer: Any = None) -> Recorder:
    """Put a recorder in the place of `where.name`; it returns `answer`, or what that function of the arguments does."""
    function = inspect.isroutine(answer) or inspect.isclass(answer)  # a model is callable too, and an answer
    return _put(monkeypatch, where, name, answer if function else lambda *args, **kwargs: answer)


def spy(monkeypatch: pytest.MonkeyPatch, where: Any, name: str) -> Recorder:
    """Put a recorder in the place of `where.name` that does what the original does."""
    return _put(monkeypatch, where, name, getattr(where, name))


def _put(monkeypatch: pytest.MonkeyPatch, where: Any, name: str, answer: Callable[..., Any]) -> Recorder:
    recorder = Recorder(getattr(where, name), answer)
    monkeypatch.setattr(where, name, recorder)
    return recorder


def assert_seed_decides(draw: Callable[[int], Any]) -> None:
    """What is drawn is the same for the same seed and another for each of three; `draw` returns plain values."""
    first, again, *others = (draw(seed) for seed in (0, 0, 1, 2))
    assert first == again
    assert first not in others
    assert others[0] != others[1]
