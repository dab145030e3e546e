"""The ledger's rows, and the statistics and rules that judge them."""

import dataclasses
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats.weightstats import DescrStatsW

from nemo_lab.errors import LabError
from nemo_lab.lab.ledger.claims import (
    CONTROL_FAILED,
    LEDGER,
    NOT_REPRODUCED,
    REPRODUCED,
    SAME_DIRECTION,
    TOO_SMALL,
    VERDICTS,
    Claim,
    DecisionRule,
    claims_of,
    find_claim,
    interval,
    judge,
    ledger,
    load_ledger,
    parse_claim,
)
from nemo_lab.lab.scales import SCALES

# The rows that the ten abstracts need at least, in the papers' order.
ABSTRACTS = """
cc-math.recovery cc-math.code cc-math.standardise cc-math.size cc-math.math cc-math.code-gain cc-math.general
nemotron-cc.ensemble nemotron-cc.rephrase nemotron-cc.heuristics nemotron-cc.tradeoff nemotron-cc.long-horizon
climb.search climb.domain climb.budget climb.anatomy
two-phase.order two-phase.natural two-phase.blend two-phase.scale
nemotron-h.accuracy nemotron-h.throughput nemotron-h.constant nemotron-h.fp8 nemotron-h.minipuzzle
ssm-pruning.group ssm-pruning.needed ssm-pruning.tokens ssm-pruning.speed
nano-v2.throughput nano-v2.accuracy nano-v2.memory nano-v2.pipeline
llama-nemotron.nas llama-nemotron.recover llama-nemotron.rl llama-nemotron.toggle
crossthink.math crossthink.general crossthink.templates crossthink.filter crossthink.blend crossthink.tokens
retro-search.self-length retro-search.self-accuracy retro-search.weak-length retro-search.weak-accuracy
"""
NUMBERS = st.floats(min_value=-1e6, max_value=1e6)
SAMPLES = st.lists(NUMBERS, min_size=3, max_size=8)


def make(kind: str = "bound", better: str = "higher", **rule: float) -> Claim:
    texts = {"paper": "P", "claim": "C", "figure": "F", "conditions": "D", "measure": "M", "control": "K"}
    rule = rule or {"bound": {"bound": 2.0}, "par": {"margin": 0.5}, "exact": {"value": 1.0, "tolerance": 0.1}}[kind]
    compared = {} if kind == "exact" else {"better": better, "no_effect": 1.0}
    return Claim(
        "p.c", **texts, rule=DecisionRule(kind, **rule), notebook="99_x", unit="u", min_scale="laptop", **compared
    )


def verdict(claim: Claim, samples, control=None, scale: str = "laptop") -> str:
    if control is None:  # one that fails: far on the worse side, or off the exact value
        worse = -1e9 if claim.better == "higher" else 1e9
        control = [worse, worse + 1, worse + 2]
    return judge(claim, samples, control, scale).verdict


def test_ledger_has_every_claim_of_the_abstracts_in_order():
    assert list(ledger()) == ABSTRACTS.split()


def test_rules_that_were_registered_before_the_first_run():
    accuracy, throughput, constant = (find_claim(f"nemotron-h.{n}") for n in ("accuracy", "throughput", "constant"))
    assert (accuracy.rule.kind, accuracy.rule.margin, accuracy.no_effect, accuracy.better) == (
        "par",
        0.02,
        0,
        "lower",
    )
    assert (throughput.rule.kind, throughput.rule.bound, throughput.better) == ("bound", 2.2, "higher")
    assert (constant.rule, constant.min_scale) == (DecisionRule("exact", value=1.0, tolerance=0.0), "smoke")
    assert {claim.id for claim in claims_of("05_hybrid_architecture")} == {
        accuracy.id,
        throughput.id,
        constant.id,
    }
    assert [claim.id for claim in ledger().values() if not claim.testable] == [
        "cc-math.size",
        "nemotron-cc.long-horizon",
    ]


@pytest.mark.parametrize("claim", ledger().values(), ids=lambda claim: claim.id)
def test_rows_are_short_and_exact_ones_run_at_smoke(claim):
    assert len(claim.claim) <= 130
    assert len(claim.conditions) <= 200
    assert len(claim.measure) <= 260
    assert claim.rule.kind != "exact" or claim.min_scale == "smoke"
    assert claim.criterion


def test_near_names_are_suggested():
    with pytest.raises(LabError, match=r"did you mean 'nemotron-h\.accuracy'"):
        find_claim("nemotron-h.acuracy")


@given(SAMPLES)
@settings(deadline=None)
def test_interval_equals_scipy_and_statsmodels(samples):
    assume(np.ptp(samples) > 1e-3)
    low, high = interval(samples)
    scale = max(1.0, np.abs(samples).max())
    theirs = scipy.stats.t.interval(0.95, len(samples) - 1, np.mean(samples), scipy.stats.sem(samples))
    assert (low, high) == pytest.approx(theirs, rel=1e-9, abs=1e-9 * scale)
    also = DescrStatsW(samples).tconfint_mean(alpha=0.05)
    assert (low, high) == pytest.approx(also, rel=1e-9, abs=1e-9 * scale)


@given(SAMPLES)
@settings(deadline=None)
def test_interval_holds_the_mean_and_mirrors(samples):
    low, high = interval(samples)
    assert low <= math.fsum(samples) / len(samples) + 1e-9
    assert high >= math.fsum(samples) / len(samples) - 1e-9
    assert interval([-sample for sample in samples]) == pytest.approx((-high, -low), rel=1e-12, abs=1e-9)


def test_interval_covers_the_true_mean_in_95_of_100():
    draws = np.random.default_rng(0).normal(3.0, 2.0, (4000, 3)).tolist()
    covered = np.mean([low <= 3.0 <= high for low, high in map(interval, draws)])
    assert covered == pytest.approx(0.95, abs=0.012)


def test_interval_of_few_or_constant_samples():
    assert interval([5.0]) == (None, None)
    assert interval([0.1, 0.1, 0.1]) == (0.1, 0.1)


@pytest.mark.parametrize(
    ("better", "samples", "expected"),
    [
        ("higher", [2.9, 3.0, 3.1], REPRODUCED),
        ("higher", [2.0, 2.0, 2.0], SAME_DIRECTION),  # on the bound is not beyond it
        ("higher", [1.9, 3.0, 4.1], SAME_DIRECTION),
        ("higher", [1.4, 1.5, 1.6], SAME_DIRECTION),
        ("higher", [0.0, 1.1, 2.4], SAME_DIRECTION),  # the interval includes no effect
        ("higher", [1.0, 1.0, 1.0], NOT_REPRODUCED),
        ("higher", [0.4, 0.5, 0.6], NOT_REPRODUCED),
        ("lower", [-0.02, 0.0, 0.02], REPRODUCED),
        ("lower", [0.4, 0.5, 0.6], SAME_DIRECTION),
        ("lower", [1.5, 1.6, 1.7], NOT_REPRODUCED),
    ],
)
def test_bound_rule(better, samples, expected):
    claim = make("bound", better, bound=2.0 if better == "higher" else 0.2)
    assert verdict(claim, samples) == expected


@pytest.mark.parametrize(
    ("better", "samples", "expected"),
    [
        ("lower", [1.3, 1.31, 1.32], REPRODUCED),  # worse, but wholly within the margin
        ("lower", [1.5, 1.5, 1.5], REPRODUCED),  # on the margin
        ("lower", [0.1, 0.2, 0.3], REPRODUCED),  # better is on par too
        ("lower", [0.6, 1.1, 1.7], SAME_DIRECTION),
        ("lower", [1.39, 1.4, 1.6], NOT_REPRODUCED),  # interval leaves the margin and excludes no effect
        ("lower", [1.7, 1.8, 1.9], NOT_REPRODUCED),
        ("higher", [0.7, 0.71, 0.72], REPRODUCED),
        ("higher", [0.5, 0.5, 0.5], REPRODUCED),
        ("higher", [0.3, 0.9, 1.4], SAME_DIRECTION),
        ("higher", [0.1, 0.2, 0.3], NOT_REPRODUCED),
    ],
)
def test_par_rule(better, samples, expected):
    assert verdict(make("par", better), samples) == expected


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        ([1.0], REPRODUCED),
        ([0.875, 1.125], REPRODUCED),
        ([1.0, 1.13], NOT_REPRODUCED),
        ([0.8, 1.2], NOT_REPRODUCED),
    ],
)
def test_exact_rule_asks_every_sample_at_any_scale(samples, expected):
    for scale in SCALES:
        assert verdict(make("exact", value=1.0, tolerance=0.125), samples, [9.0], scale) == expected
    assert verdict(make("exact", value=1.0, tolerance=0.0), [1.0 + 1e-12], [9.0]) == NOT_REPRODUCED


def test_too_small_below_the_scale_or_three_samples():
    claim = make()
    assert verdict(claim, [2.9, 3.0, 3.1], scale="smoke") == TOO_SMALL
    assert verdict(claim, [2.9, 3.0, 3.1], scale="gpu") == REPRODUCED
    assert verdict(claim, [3.0, 3.1]) == TOO_SMALL
    assert verdict(claim, [3.0]) == TOO_SMALL
    assert verdict(claim, [2.9, 3.0, 3.1], control=[0.0, 0.0]) == TOO_SMALL  # the control is not judged either


def test_a_control_that_passes_spoils_every_verdict():
    claim = make()
    for samples in ([2.9, 3.0, 3.1], [1.4, 1.5, 1.6], [0.1, 0.2, 0.3]):
        judged = judge(claim, samples, [4.0, 4.1, 4.2], "laptop")
        assert judged.verdict == CONTROL_FAILED
        assert judged.control.verdict == REPRODUCED
    assert verdict(make("exact"), [1.0], control=[1.0]) == CONTROL_FAILED
    assert verdict(claim, [2.9, 3.0, 3.1], control=[1.4, 1.5, 1.6]) == REPRODUCED


def test_judged_without_control_is_an_error():
    with pytest.raises(LabError, match="no control"):
        judge(make(), [2.9, 3.0, 3.1], None, "laptop")
    assert judge(make(), [2.9, 3.0, 3.1], None, "smoke").verdict == TOO_SMALL


def test_judgement_carries_the_numbers():
    judged = judge(make(), np.array([2.0, 3.0, 4.0], dtype=np.float32), [1, 1, 1], "laptop")
    assert (judged.samples, judged.n, judged.mean) == ((2.0, 3.0, 4.0), 3, 3.0)
    assert (judged.low, judged.high) == interval([2.0, 3.0, 4.0])
    assert (judged.control.low, judged.control.mean) == (1.0, 1.0)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("side", ["samples", "control"])
def test_numbers_that_are_none_are_named(odd, side):
    both = {"samples": [1.0, 2.0, 3.0], "control": [1.0, 2.0, 3.0]} | {side: [1.0, odd, 3.0]}
    with pytest.raises(LabError, match=rf"p\.c.*{side}\[1\] is {odd}"):
        judge(make(), both["samples"], both["control"], "smoke")


@pytest.mark.parametrize("samples", [[], 3.0, "123", ["x"], None, {1.0: 2.0}, [[1.0, 2.0], [3.0, 4.0]]])
def test_samples_must_be_a_flat_list_of_numbers(samples):
    with pytest.raises(LabError, match="expected a list of numbers"):
        judge(make(), samples, [1.0], "laptop")


def test_untestable_claims_take_no_samples():
    with pytest.raises(LabError, match="not testable"):
        judge(find_claim("cc-math.size"), [1.0], [1.0], "laptop")


ORDER = {NOT_REPRODUCED: 0, SAME_DIRECTION: 1, REPRODUCED: 2}


@given(SAMPLES, st.floats(min_value=0, max_value=1e6), st.sampled_from(["bound", "par"]))
@settings(deadline=None)
def test_better_samples_never_get_a_worse_verdict(samples, shift, kind):
    claim = make(kind)
    before, after = verdict(claim, samples), verdict(claim, [sample + shift for sample in samples])
    assert ORDER[after] >= ORDER[before]


@given(SAMPLES, st.sampled_from(["bound", "par"]))
@settings(deadline=None)
def test_shifted_beyond_the_bound_is_reproduced(samples, kind):
    claim = make(kind)
    edge = 2.0 if kind == "bound" else 0.5
    low, _ = interval(samples)
    beyond = [sample - low + edge + 1e-3 for sample in samples]
    assert verdict(claim, beyond) == REPRODUCED


@given(SAMPLES, st.sampled_from(["bound", "par"]))
@settings(deadline=None)
def test_mirrored_claim_and_samples_get_the_same_verdict(samples, kind):
    claim = make(kind)
    rule = dataclasses.replace(claim.rule, bound=-claim.rule.bound)
    mirrored = dataclasses.replace(claim, better="lower", no_effect=-1.0, rule=rule)
    assert verdict(claim, samples) == verdict(mirrored, [-sample for sample in samples])
    assert verdict(claim, samples) in VERDICTS


def row(**changes: object) -> dict[str, object]:
    full: dict[str, object] = {"id": "p.c", "paper": "P", "claim": "C", "figure": "F", "conditions": "D"}
    full |= {"notebook": "01_x", "measure": "M", "unit": "u", "better": "higher", "no_effect": 0}
    full |= {"rule": {"kind": "bound", "bound": 0}, "control": "K", "min_scale": "laptop"}
    full |= changes
    return {name: value for name, value in full.items() if value is not None}


def test_a_good_row_is_read():
    claim = parse_claim(row(), "row 1")
    assert (claim.id, claim.no_effect, type(claim.no_effect)) == ("p.c", 0.0, float)
    assert claim.criterion == "whole interval above 0 u"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"id": "Bad Id"}, "lower case"),
        ({"id": None}, "row 7"),
        ({"claim": "  "}, "claim is"),
        ({"figure": 3}, "figure is 3"),
        ({"control": None}, "control"),
        ({"control": ""}, "control is"),
        ({"surprise": "x"}, "surprise"),
        ({"better": "more"}, "better"),
        ({"better": None}, "better"),
        ({"no_effect": "0"}, "no_effect"),
        ({"no_effect": True}, "no_effect"),
        ({"no_effect": math.nan}, "no_effect"),
        ({"min_scale": "tiny"}, "smoke, laptop"),
        ({"notebook": "x"}, "05_hybrid"),
        ({"notebook": None}, "notebook"),
        ({"rule": None}, "bound, par, exact, untestable"),
        ({"rule": {"kind": "guess"}}, "guess"),
        ({"rule": {"kind": "bound"}}, "bound"),
        ({"rule": {"kind": "bound", "bound": "2"}}, r"rule\.bound"),
        ({"rule": {"kind": "bound", "bound": 1, "margin": 2}}, "margin"),
        ({"rule": {"kind": "bound", "bound": -1}}, "worse side"),
        ({"rule": {"kind": "bound", "bound": 1}, "better": "lower"}, "worse side"),
        ({"rule": {"kind": "par", "margin": 0}}, "above 0"),
        (
            {"rule": {"kind": "exact", "value": 1, "tolerance": -1}, "better": None, "no_effect": None},
            "not below 0",
        ),
        ({"rule": {"kind": "exact", "value": 1, "tolerance": 0}}, "better"),
        ({"rule": {"kind": "untestable", "reason": "r", "needs": "n"}}, "notebook"),
    ],
)
def test_bad_rows_are_refused_by_field(changes, message):
    with pytest.raises(LabError, match=message):
        parse_claim(row(**changes), "row 7")


def test_bad_files_are_refused(tmp_path):
    file = tmp_path / "claims.toml"
    file.write_text("[[claims]]\nid = 1\n")
    with pytest.raises(LabError, match="claims"):
        load_ledger(file)
    file.write_text("[[claim]\n")
    with pytest.raises(LabError, match="not valid TOML"):
        load_ledger(file)
    text = LEDGER.read_text(encoding="utf-8")
    file.write_text(text + text[text.index("[[claim]]") :], encoding="utf-8")
    with pytest.raises(LabError, match="twice"):
        load_ledger(file)


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (make("par", "lower"), "interval's worse end at most 1.5 u"),
        (make("par", "higher"), "interval's worse end at least 0.5 u"),
        (make("bound", "lower", bound=0.5), "whole interval below 0.5 u"),
        (make("exact", value=1.0, tolerance=0.0), "every sample 1 exactly u"),
        (make("exact"), "every sample 1 ± 0.1 u"),
    ],
)
def test_criterion_in_words(claim, words):
    assert claim.criterion == words
