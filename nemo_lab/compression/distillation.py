"""Distillation: a student learns what its teacher says about the next token, and not only what came next.

    KL(p_T || p_S) = sum_v p_T(v) (log p_T(v) - log p_S(v)),   p = softmax(logits / temperature)

Forward KL on the logits alone, temperature 1, is what Minitron (arXiv 2407.14679, Table 15), Nemotron-H
(arXiv 2504.03624, section 3.4), group-aware SSM pruning (arXiv 2504.11409) and Nano v2 ended with; the other
losses stand here for the ablation. Every loss is computed in float32 at least and gives one number a token,
so that `Distilled` trains like any model: it has `loss(tokens, targets, documents, reduction)`.

A teacher is run once for a batch, however many students see it: `Teacher` keeps its last hidden states, which
are smaller than its logits by V / d_model, and the head's product makes the logits of them again, exactly.

Shapes: B batch, L length, V vocabulary, d width; `…` stands for any leading dimensions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nemo_lab.errors import LabError, check_whole, one_of
from nemo_lab.modeling.linear import wide
from nemo_lab.training.identity import identity_of, weights_fingerprint
from nemo_lab.training.settings import PRECISIONS

IGNORE = -100  # a target that counts for nothing, as everywhere in the package


def kl_loss(
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    temperature: float = 1.0,
    reverse: bool = False,
    reduction: str = "mean",
) -> Tensor:
    """Kullback-Leibler divergence between two next-token distributions, in nats.

    Args:
        student_logits, teacher_logits: (…, V); gradients flow to whichever asks for them.
        temperature: divides both; the result is multiplied by its square, which keeps the gradient's size.
        reverse: KL(p_S || p_T) instead of KL(p_T || p_S).
        reduction: "mean" over all tokens, or "none" for (…).

    Raises:
        LabError: shapes that differ, or a temperature that is not positive.
    """
    _check(student_logits, teacher_logits, "logits")
    if not temperature > 0:
        raise LabError(f"temperature is {temperature}; it must be above 0, and 1 is the papers' choice.")
    student, teacher = (
        torch.log_softmax(wide(logits) / temperature, -1) for logits in (student_logits, teacher_logits)
    )
    first, second = (student, teacher) if reverse else (teacher, student)
    return _reduce((first.exp() * (first - second)).sum(-1) * temperature**2, reduction)


def cosine_loss(student_hidden: Tensor, teacher_hidden: Tensor, *, reduction: str = "mean") -> Tensor:
    """1 - cosine of the angle between two hidden states (…, d), or between two rows of logits (…, V)."""
    _check(student_hidden, teacher_hidden, "hidden states")
    return _reduce(1 - F.cosine_similarity(wide(student_hidden), wide(teacher_hidden), dim=-1), reduction)


def mse_loss(student: Tensor, teacher: Tensor, *, reduction: str = "mean") -> Tensor:
    """Mean squared difference over the last dimension, of logits or of hidden states."""
    _check(student, teacher, "tensors")
    return _reduce((wide(student) - wide(teacher)).square().mean(-1), reduction)


def cross_entropy_loss(student_logits: Tensor, targets: Tensor, *, reduction: str = "mean") -> Tensor:
    """-log p(target) in nats, 0 where the target is -100; the mean is over the others."""
    logits = wide(student_logits).flatten(0, -2)
    losses = F.cross_entropy(logits, targets.flatten(), ignore_index=IGNORE, reduction="none").view_as(targets)
    if reduction == "mean":
        return losses.sum() / (targets != IGNORE).sum().clamp(min=1)
    return _reduce(losses, reduction)


class Teacher:
    """A model that answers each batch once, without gradients, and remembers its hidden states.

    Args:
        model: a `HybridLM`, or anything with `hidden(tokens_BL, document_BL)` and `head`. It is the caller's own,
            put into `eval` mode and otherwise left as it is; do not train it while it teaches.
        limit_bytes: what the memory may hold; beyond it batches are computed anew each time.
        precision: "bf16" for autocast, "fp32" for none.

    Raises:
        LabError: no model that could teach, an unknown precision, or a limit below 0.
    """

    def __init__(self, model: Any, *, limit_bytes: int = 2**29, precision: str = "bf16") -> None:
        if not hasattr(model, "hidden") or not hasattr(model, "head"):
            raise LabError(f"model is a {type(model).__name__}, expected one with `hidden` and `head`, as a HybridLM.")
        if precision not in PRECISIONS:
            raise LabError(one_of("precision", precision, PRECISIONS))
        check_whole("limit_bytes", limit_bytes, 0)
        self.model, self.limit_bytes, self.precision = model.eval(), limit_bytes, precision
        self.computed, self._bytes = 0, 0
        self._memory: dict[bytes, Tensor] = {}

    @torch.no_grad()
    def hidden(self, tokens_BL: Tensor, document_BL: Tensor | None = None) -> Tensor:
        """The normalised residual stream before the head, (B, L, d), from memory where the batch is known."""
        key = _key(tokens_BL, document_BL)
        if key in self._memory:
            return self._memory[key]
        with torch.autocast(tokens_BL.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            hidden_BLd: Tensor = self.model.hidden(tokens_BL, document_BL)
        self.computed += 1
        size = hidden_BLd.numel() * hidden_BLd.element_size()
        if self._bytes + size <= self.limit_bytes:
            self._memory[key], self._bytes = hidden_BLd, self._bytes + size
        return hidden_BLd

    @torch.no_grad()
    def logits(self, tokens_BL: Tensor, document_BL: Tensor | None = None) -> Tensor:
        """Next-token logits, (B, L, V), float32."""
        hidden_BLd = self.hidden(tokens_BL, document_BL)
        with torch.autocast(tokens_BL.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
            return wide(self.model.head(hidden_BLd))

    def identity(self) -> dict[str, Any]:
        """What decides its answers: the model, its weights, and the precision."""
        weights = weights_fingerprint(self.model)
        return {"model": identity_of(self.model), "weights": weights, "precision": self.precision}


def _key(tokens_BL: Tensor, document_BL: Tensor | None) -> bytes:
    parts = [tokens_BL] if document_BL is None else [tokens_BL, document_BL]
    return bytes(str(tuple(tokens_BL.shape)), "ascii") + b"".join(p.cpu().numpy().tobytes() for p in parts)


class Distilled(nn.Module):
    """A student whose `loss` asks a teacher; `nemo_lab.training.train` trains it in place.

    Args:
        student: a `HybridLM`. teacher: see `Teacher`; it is no part of this module and is never trained.
        objective: one of `OBJECTIVES`. The names with `ce+` add the cross-entropy of the text itself.
    """

    def __init__(self, student: Any, teacher: Teacher, objective: str = "kl") -> None:
        super().__init__()
        if objective not in list(OBJECTIVES):  # a list has no hash
            raise LabError(one_of("objective", objective, list(OBJECTIVES)))
        if not hasattr(student, "hidden") or not hasattr(teacher, "logits"):
            kinds = f"{type(student).__name__} and {type(teacher).__name__}"
            raise LabError(
                f"student and teacher are {kinds}, expected a HybridLM and a Teacher, such as Teacher(model)."
            )
        self.student, self.config = student, student.config
        self.objective = objective
        self._teacher = (teacher,)  # a tuple: nn.Module must not register the teacher's weights

    def loss(
        self, tokens_BL: Tensor, targets_BL: Tensor, document_BL: Tensor | None = None, reduction: str = "mean"
    ) -> Tensor:
        """The objective in nats (or its own unit), (B, L) with "none", zero where the target is -100."""
        hidden_BLd = self.student.hidden(tokens_BL, document_BL)
        logits_BLV = self.student.head(hidden_BLd)
        losses_BL = torch.zeros(targets_BL.shape, device=targets_BL.device)
        for term in OBJECTIVES[self.objective]:
            losses_BL = losses_BL + term(hidden_BLd, logits_BLV, self._teacher[0], tokens_BL, targets_BL, document_BL)
        losses_BL = losses_BL.masked_fill(targets_BL == IGNORE, 0)
        if reduction == "mean":
            return losses_BL.sum() / (targets_BL != IGNORE).sum().clamp(min=1)
        return _reduce(losses_BL, reduction)

    def identity(self) -> dict[str, Any]:
        """What a folder of checkpoints is to know beside the student: the objective and the teacher."""
        return {"objective": self.objective, "teacher": self._teacher[0].identity()}


Term = Callable[[Tensor, Tensor, Teacher, Tensor, Tensor, Tensor | None], Tensor]


def _kl(h: Tensor, logits: Tensor, teacher: Teacher, tokens: Tensor, targets: Tensor, doc: Tensor | None) -> Tensor:
    return kl_loss(logits, teacher.logits(tokens, doc), reduction="none")


def _reverse(
    h: Tensor, logits: Tensor, teacher: Teacher, tokens: Tensor, targets: Tensor, doc: Tensor | None
) -> Tensor:
    return kl_loss(logits, teacher.logits(tokens, doc), reverse=True, reduction="none")


def _angle(h: Tensor, logits: Tensor, teacher: Teacher, tokens: Tensor, targets: Tensor, doc: Tensor | None) -> Tensor:
    return cosine_loss(logits, teacher.logits(tokens, doc), reduction="none")


def _mse(h: Tensor, logits: Tensor, teacher: Teacher, tokens: Tensor, targets: Tensor, doc: Tensor | None) -> Tensor:
    return mse_loss(logits, teacher.logits(tokens, doc), reduction="none")


def _cosine(h: Tensor, logits: Tensor, teacher: Teacher, tokens: Tensor, targets: Tensor, doc: Tensor | None) -> Tensor:
    return cosine_loss(h, teacher.hidden(tokens, doc), reduction="none")


def _ce(h: Tensor, logits: Tensor, teacher: Teacher, tokens: Tensor, targets: Tensor, doc: Tensor | None) -> Tensor:
    return cross_entropy_loss(logits, targets, reduction="none")


OBJECTIVES: dict[str, tuple[Term, ...]] = {
    "kl": (_kl,),
    "reverse kl": (_reverse,),
    "mse": (_mse,),
    "cosine": (_angle,),  # all of logits
    "ce": (_ce,),
    "ce+kl": (_ce, _kl),
    "ce+cosine": (_ce, _cosine),  # of hidden states, of equal width
}


def _check(student: Tensor, teacher: Tensor, what: str) -> None:
    if student.shape != teacher.shape:
        raise LabError(
            f"The student's {what} have shape {tuple(student.shape)} and the teacher's {tuple(teacher.shape)}; "
            f"they must agree, so give both the same batch, vocabulary and, for hidden states, width."
        )


def _reduce(losses: Tensor, reduction: str) -> Tensor:
    if reduction not in ("mean", "none"):
        raise LabError(one_of("reduction", reduction, ("mean", "none")))
    return losses.mean() if reduction == "mean" else losses
