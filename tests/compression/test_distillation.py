"""Distillation losses against torch's own, in float64 and by their properties; the teacher's memory."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from nemo_lab.compression.distillation import (
    OBJECTIVES,
    Distilled,
    Teacher,
    cosine_loss,
    cross_entropy_loss,
    kl_loss,
    mse_loss,
)
from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM
from nemo_lab.training import TrainingError, TrainSettings, pack, train

TINY = HybridConfig(
    pattern="M-*-",
    vocab_size=17,
    d_model=16,
    d_ff=24,
    n_heads=2,
    n_kv_heads=1,
    head_dim=8,
    ssm_heads=4,
    ssm_head_dim=8,
    ssm_state=8,
    ssm_groups=2,
    chunk=8,
    init_std=0.2,
)


def _logits(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3


@given(st.integers(0, 1000), st.sampled_from([0.5, 1.0, 2.0]))
@settings(max_examples=30, deadline=None)
def test_kl_equals_torch_in_both_directions(seed: int, temperature: float) -> None:
    s, t = _logits(seed, 2, 3, 11), _logits(seed + 1, 2, 3, 11)
    a, b = (F.log_softmax(x / temperature, -1) for x in (s, t))
    forward = F.kl_div(a, b, log_target=True, reduction="none").sum(-1) * temperature**2
    torch.testing.assert_close(kl_loss(s, t, temperature=temperature, reduction="none"), forward)
    torch.testing.assert_close(kl_loss(t, s, temperature=temperature, reduction="none", reverse=True), forward)
    assert kl_loss(s, t, temperature=temperature) > 0
    assert abs(kl_loss(s, s + 5.0)) < 1e-12  # logits are defined up to a constant


def test_gradient_of_kl_is_the_difference_of_probabilities() -> None:
    s, t = _logits(0, 4, 7).requires_grad_(), _logits(1, 4, 7)
    kl_loss(s, t).backward()
    torch.testing.assert_close(s.grad, (s.softmax(-1) - t.softmax(-1)).detach() / 4)


def test_kl_of_bf16_logits_is_computed_in_float32() -> None:
    s, t = _logits(0, 64, 301).bfloat16(), _logits(1, 64, 301).bfloat16()
    loss = kl_loss(s, t)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.double(), kl_loss(s.double(), t.double()), rtol=1e-5, atol=0)


def test_the_other_losses() -> None:
    s, t = _logits(0, 2, 3, 5), _logits(1, 2, 3, 5)
    torch.testing.assert_close(mse_loss(s, t), F.mse_loss(s, t))
    assert abs(cosine_loss(s, 2 * s)) < 1e-12
    assert abs(cosine_loss(s, -s) - 2) < 1e-12
    targets = torch.tensor([[1, -100, 2], [0, 4, -100]])
    torch.testing.assert_close(cross_entropy_loss(s, targets), F.cross_entropy(s.flatten(0, 1), targets.flatten()))
    assert (cross_entropy_loss(s, targets, reduction="none") == 0).sum() == 2


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: kl_loss(torch.zeros(2, 3), torch.zeros(2, 4)), r"\(2, 3\) and the teacher's \(2, 4\)"),
        (lambda: kl_loss(torch.zeros(2), torch.zeros(2), temperature=0), "temperature is 0"),
        (lambda: mse_loss(torch.zeros(2), torch.zeros(2), reduction="sum"), "Unknown reduction 'sum'"),
        (lambda: Distilled(HybridLM(TINY), Teacher(HybridLM(TINY)), "kll"), "did you mean 'kl'"),
        (lambda: Distilled(HybridLM(TINY), Teacher(HybridLM(TINY)), ["kl"]), "Unknown objective"),
        (
            lambda: Distilled(HybridLM(TINY), HybridLM(TINY)),
            "are HybridLM and HybridLM, expected a HybridLM and a Teach",
        ),
        (lambda: Distilled(None, Teacher(HybridLM(TINY))), "are NoneType and Teacher"),
        (lambda: Teacher(None), "model is a NoneType, expected one with `hidden` and `head`"),
        (lambda: Teacher(HybridLM(TINY), precision="fp8"), "Unknown precision 'fp8'"),
        (lambda: Teacher(HybridLM(TINY), limit_bytes=-1), "limit_bytes is -1"),
    ],
)
def test_mistakes_are_named(call: object, words: str) -> None:
    with pytest.raises(LabError, match=words):
        call()  # type: ignore[operator]


def test_a_teacher_answers_a_batch_once_and_exactly() -> None:
    model = HybridLM(TINY, seed=1)
    teacher = Teacher(model, precision="fp32")
    tokens, documents = torch.arange(12).view(2, 6), torch.tensor([[0] * 6, [1, 1, 2, 2, 2, 2]])
    with torch.no_grad():
        expected = model(tokens, documents)
    for _ in range(3):
        assert torch.equal(teacher.logits(tokens, documents), expected)
    assert teacher.computed == 1
    assert not torch.equal(teacher.logits(tokens), expected)
    assert teacher.computed == 2
    forgetful = Teacher(model, limit_bytes=0)
    forgetful.logits(tokens), forgetful.logits(tokens)
    assert forgetful.computed == 2


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_trains_the_student_and_only_it(objective: str) -> None:
    parent, student = HybridLM(TINY, seed=1), HybridLM(TINY, seed=2)
    before = {name: tensor.clone() for name, tensor in parent.state_dict().items()}
    packed = pack([[1, 2, 3, 4, 5, 6, 7, 8] * 4], 8, eos=0)
    distilled = Distilled(student, Teacher(parent), objective)
    steps = TrainSettings(steps=25, batch_size=4, peak_lr=1e-2, precision="fp32")
    history = train(distilled, packed, steps, progress=False)
    assert history.loss.iloc[-1] < 0.8 * history.loss.iloc[0]
    assert all(torch.equal(before[name], tensor) for name, tensor in parent.state_dict().items())
    assert {id(p) for p in distilled.parameters()} == {id(p) for p in student.parameters()}


def test_a_perfect_student_has_nothing_to_learn_and_ignored_targets_count_for_nothing() -> None:
    parent = HybridLM(TINY, seed=1)
    distilled = Distilled(HybridLM(TINY, seed=1), Teacher(parent, precision="fp32"))
    tokens, targets = torch.arange(8).view(1, 8), torch.tensor([[3, -100, 1, 2, 3, 4, 5, -100]])
    assert distilled.loss(tokens, targets).abs() < 1e-6
    other = Distilled(HybridLM(TINY, seed=2), Teacher(parent, precision="fp32"))
    losses = other.loss(tokens, targets, reduction="none")
    assert ((losses == 0) == (targets == -100)).all()
    torch.testing.assert_close(other.loss(tokens, targets), losses.sum() / 6)


def test_a_teacher_leaves_its_model_trainable_and_takes_no_gradient() -> None:
    model = HybridLM(TINY, seed=1).train()
    teacher = Teacher(model)
    assert all(p.requires_grad for p in model.parameters())
    assert not model.training
    assert not teacher.logits(torch.arange(8).view(1, 8)).requires_grad


def test_cosine_of_logits_knows_no_size_and_takes_a_narrower_student() -> None:
    parent, student = HybridLM(TINY, seed=1), HybridLM(TINY.with_(d_model=12), seed=1)
    tokens, targets = torch.arange(8).view(1, 8), torch.tensor([[3, -100, 1, 2, 3, 4, 5, 6]])
    teacher = Teacher(parent, precision="fp32")
    counted = targets != -100
    ours, theirs = student(tokens)[counted], parent(tokens)[counted]
    expected = (1 - (ours * theirs).sum(-1) / (ours.norm(dim=-1) * theirs.norm(dim=-1))).mean()
    torch.testing.assert_close(Distilled(student, teacher, "cosine").loss(tokens, targets), expected)
    double = HybridLM(TINY, seed=1)
    with torch.no_grad():
        double.head.weight.mul_(2)
    assert Distilled(double, teacher, "cosine").loss(tokens, targets).abs() < 1e-6
    assert Distilled(double, teacher, "mse").loss(tokens, targets) > 1e-3


ROWS = pack([[1, 2, 3, 4, 5, 6, 7, 8] * 4], 8, eos=0)


def _teacher(place: str = "") -> HybridLM:
    """A teacher, with one weight changed at `place`."""
    model = HybridLM(TINY, seed=1)
    if place:
        with torch.no_grad():
            model.get_parameter(place).flatten()[0].add_(1e-3)
    return model


def _distilled(
    folder: Path | None, teacher: Teacher | None = None, objective: str = "kl", stop: int = 0
) -> tuple[list[float], HybridLM]:
    student = HybridLM(TINY, seed=2)
    model = Distilled(student, teacher or Teacher(_teacher(), precision="fp32"), objective)

    def end(row: dict[str, float]) -> None:
        if row["step"] == stop:
            raise KeyboardInterrupt

    steps = TrainSettings(steps=8, batch_size=4, peak_lr=1e-2, precision="fp32", checkpoint_every=3)
    return train(model, ROWS, steps, folder=folder, progress=False, on_step=end).loss.tolist(), student


def test_a_stopped_distillation_goes_on_bit_for_bit(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        _distilled(tmp_path, stop=5)
    (losses, student), (expected, whole) = _distilled(tmp_path), _distilled(None)
    assert losses == expected
    assert all(torch.equal(a, b) for a, b in zip(student.parameters(), whole.parameters(), strict=True))


def test_a_folder_knows_its_teacher_and_its_objective(tmp_path: Path) -> None:
    _distilled(tmp_path)
    others = {
        r"itself.objective='kl', now it is 'mse'": {"objective": "mse"},
        r"itself.teacher.precision='fp32', now it is 'bf16'": {"teacher": Teacher(_teacher())},
        r"itself.teacher.model.config.d_ff=24, now it is 32": {
            "teacher": Teacher(HybridLM(TINY.with_(d_ff=32), seed=1), precision="fp32")
        },
    }
    for place in ("head.weight", "blocks.0.norm.weight", "blocks.2.mixer.q_proj.weight"):
        said = r"itself.teacher.weights='\w+', now it is"
        with pytest.raises(TrainingError, match=said):
            _distilled(tmp_path, Teacher(_teacher(place), precision="fp32"))
    for said, changes in others.items():
        with pytest.raises(TrainingError, match=said):
            _distilled(tmp_path, **changes)  # type: ignore[arg-type]


def test_each_objective_is_the_loss_of_its_name() -> None:
    """By hand from logits and hidden states of both; a swapped direction would train as well."""
    student, model = HybridLM(TINY, seed=0), HybridLM(TINY, seed=1)
    tokens = torch.randint(17, (2, 9), generator=torch.Generator().manual_seed(0))
    targets = tokens.roll(-1, 1)
    ours, theirs = student(tokens), model(tokens)
    hidden = cosine_loss(student.hidden(tokens), model.hidden(tokens), reduction="none")
    text, kl = F.cross_entropy(ours.transpose(1, 2), targets, reduction="none"), kl_loss(ours, theirs, reduction="none")
    wanted = {
        "kl": kl,
        "reverse kl": kl_loss(theirs, ours, reduction="none"),
        "mse": (ours - theirs).square().mean(-1),
        "cosine": 1 - F.cosine_similarity(ours, theirs, dim=-1),
        "ce": text,
        "ce+kl": text + kl,
        "ce+cosine": text + hidden,
    }
    assert set(wanted) == set(OBJECTIVES)
    for objective, losses in wanted.items():
        distilled = Distilled(student, Teacher(model, precision="fp32"), objective)
        torch.testing.assert_close(distilled.loss(tokens, targets, reduction="none"), losses, msg=objective)
    assert (wanted["kl"] - wanted["reverse kl"]).abs().max() > 1e-4
