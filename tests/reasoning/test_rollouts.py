"""Rollouts: rows do not disturb each other, and the probabilities kept are those of the trainer."""

import math
from typing import Any

import pytest
import tiny_policy
import torch

from nemo_lab.errors import LabError
from nemo_lab.reasoning.policy import Policy, token_logprobs
from nemo_lab.reasoning.rollouts import draw_tokens, sample_responses
from nemo_lab.reasoning.sft import pair_batch
from nemo_lab.training.packing import IGNORE
from tests.reasoning.refusals import one_wrong, refused

PROMPTS = ["1+1=", "<on>23+4=", "x", "abc"]
POLICIES = {
    "attention": lambda: tiny_policy.tiny_policy("*-*-"),
    "hybrid": lambda: tiny_policy.tiny_policy("M-*-", rope_theta=0.0),
    "llama": tiny_policy.tiny_llama,
}


def sampled(policy, prompts, temperature=1.0, seed=0, **more):
    generator = torch.Generator().manual_seed(seed)
    return sample_responses(
        policy.model,
        [policy.encode(p) for p in prompts],
        12,
        end=policy.end,
        pad=policy.pad,
        temperature=temperature,
        generator=generator,
        **more,
    )


@pytest.mark.parametrize("make", POLICIES.values(), ids=POLICIES)
def test_greedy_rows_are_those_of_one_by_one(make):
    policy = make()
    together = sampled(policy, PROMPTS, 0.0).responses()
    assert together == [sampled(policy, [prompt], 0.0).responses()[0] for prompt in PROMPTS]


@pytest.mark.parametrize("make", POLICIES.values(), ids=POLICIES)
def test_probabilities_are_the_trainers(make):
    policy = make()
    rollout = sampled(policy, PROMPTS, group=3, temperature=0.7)
    batch = pair_batch(rollout.prompts, rollout.responses(), policy.pad)
    trainer_BL = token_logprobs(policy.model, batch, 0.7)
    drawn_BT = torch.arange(rollout.tokens_BT.shape[1]) < rollout.lengths_B[:, None]
    torch.testing.assert_close(
        trainer_BL[batch.targets_BL != IGNORE], rollout.logprobs_BT[drawn_BT], atol=2e-4, rtol=1e-4
    )


def read_rows(monkeypatch, policy, prompts, **more):
    """The rollout, and the shape of the tokens at each pass of the whole model through a prompt."""
    shapes, kind = [], type(policy.model)
    name = "hidden" if hasattr(kind, "hidden") else "forward"
    plain = getattr(kind, name)

    def watched(model, tokens, *rest, **named):
        shapes.append(tuple(tokens.shape))
        return plain(model, tokens, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(kind, name, watched)
        return sampled(policy, prompts, **more), shapes


@pytest.mark.parametrize("make", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("prompts", [PROMPTS, ["abc", "bca"], ["x"]], ids=["padded", "level", "one"])
@pytest.mark.parametrize("group", [1, 3])
def test_a_groups_prompt_is_read_once_and_answered_as_if_each_row_had_read_it(monkeypatch, make, prompts, group):
    policy = make()
    once, shapes = read_rows(monkeypatch, policy, prompts, group=group)
    each = sampled(policy, [prompt for prompt in prompts for _ in range(group)])
    assert shapes[0] == (len(prompts), max(len(policy.encode(prompt)) for prompt in prompts))
    assert all(columns == 1 for _, columns in shapes[1:])  # later passes take single tokens
    assert once.prompts == each.prompts
    assert torch.equal(once.tokens_BT, each.tokens_BT)
    assert torch.equal(once.lengths_B, each.lengths_B)
    torch.testing.assert_close(once.logprobs_BT, each.logprobs_BT, atol=1e-5, rtol=1e-5)


def test_a_cache_that_cannot_be_copied_makes_every_row_read_its_prompt(monkeypatch):
    from transformers.cache_utils import Cache

    policy = tiny_policy.tiny_llama()
    monkeypatch.delattr(Cache, "reorder_cache")
    rollout, shapes = read_rows(monkeypatch, policy, PROMPTS, group=3)
    each = sampled(policy, [prompt for prompt in PROMPTS for _ in range(3)])
    assert [rows for rows, columns in shapes if columns > 1] == [4, 12]
    assert torch.equal(rollout.tokens_BT, each.tokens_BT)


def test_same_generator_same_rollout_and_groups_differ():
    policy = tiny_policy.tiny_policy()
    first, again = sampled(policy, PROMPTS, group=4), sampled(policy, PROMPTS, group=4)
    assert torch.equal(first.tokens_BT, again.tokens_BT)
    assert len({tuple(row) for row in first.responses()[:4]}) > 1
    assert first.prompts[:5] == [policy.encode(PROMPTS[0])] * 4 + [policy.encode(PROMPTS[1])]


@pytest.mark.parametrize("make", POLICIES.values(), ids=POLICIES)
@pytest.mark.parametrize("ends", [[7, 9], (9, 7), [7, 7, 9]])
def test_any_of_several_ends_closes_a_row(make, ends):
    """As in Phi and Gemma: each row is forced to another token in its third place, two of which are ends."""
    policy = make()

    def third(logits_BV, so_far):
        if len(so_far[0]) != 2:
            return torch.full_like(logits_BV, -1e9).index_fill_(1, torch.tensor([5]), 0.0)
        forced = torch.full_like(logits_BV, -1e9)
        forced[torch.arange(4), torch.tensor([7, 8, 9, 10])] = 0.0
        return forced

    prompts = [policy.encode(prompt) for prompt in PROMPTS]
    rollout = sample_responses(policy.model, prompts, 5, end=ends, pad=policy.pad, adjust=third)
    assert rollout.ended_B.tolist() == [True, False, True, False]
    assert rollout.responses() == [[5, 5, 7], [5, 5, 8, 5, 5], [5, 5, 9], [5, 5, 10, 5, 5]]


def hf_model(kind: str) -> Any:
    """Models of twelve positions: learned (GPT-2), rotary (Phi-3, Gemma 3 with its nested configuration)."""
    import transformers

    small = {"vocab_size": tiny_policy.CODEC.vocab_size, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = small | {"hidden_size": 16, "intermediate_size": 16, "head_dim": 8, "max_position_embeddings": 12}
    text |= {"num_key_value_heads": 1, "pad_token_id": 0}
    if kind == "gpt2":
        config = transformers.GPT2Config(n_positions=12, n_embd=16, n_layer=1, n_head=2, vocab_size=small["vocab_size"])
        return transformers.GPT2LMHeadModel(config).eval()
    if kind == "phi3":
        return transformers.Phi3ForCausalLM(transformers.Phi3Config(**text)).eval()
    vision = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    config = transformers.Gemma3Config(text_config=text, vision_config=vision | {"image_size": 8, "patch_size": 4})
    return transformers.Gemma3ForConditionalGeneration(config).eval()


@pytest.mark.parametrize("kind", ["gpt2", "phi3", "gemma3"])
def test_more_tokens_than_positions_are_refused_in_a_sentence(kind):
    model = hf_model(kind)
    assert sample_responses(model, [[5] * 4, [6] * 8], 4, end=[2, 3], pad=1).tokens_BT.shape[1] <= 4
    for prompts, new in (([[5] * 4, [6] * 8], 5), ([[5]], 12), ([[5] * 30], 1)):
        with pytest.raises(
            LabError, match=r"A prompt of \d+ tokens and max_new_tokens=\d+ are more than .* 12 positions"
        ):
            sample_responses(model, prompts, new, end=[2, 3], pad=1)


@pytest.mark.parametrize("kind", ["gpt2", "phi3", "gemma3"])
def test_the_vocabulary_is_that_of_what_reads_text(kind):
    model, known = hf_model(kind), tiny_policy.CODEC.vocab_size
    assert Policy(model, list, str, [2, 3], 1).vocab_size == known
    with pytest.raises(LabError, match=f"Token {known} is asked for, but the model has {known}"):
        sample_responses(model, [[known]], 1, end=[2, 3], pad=1)


def test_our_models_have_no_last_position():
    policy = tiny_policy.tiny_policy()
    assert sample_responses(policy.model, [[5] * 300], 2, end=0, pad=1).lengths_B.min() > 0


def test_a_row_ends_with_its_end_token_and_nothing_after():
    policy = tiny_policy.tiny_policy()
    wanted = policy.encode("hi")

    def spell(logits_BV, so_far):
        """Forces 'hi' and the end on the even rows, 'i' for ever on the odd ones."""
        forced = torch.full_like(logits_BV, -1e9)
        for i, row in enumerate(so_far):
            script = [*wanted, policy.end] if i % 2 == 0 else [wanted[1]] * 12
            forced[i, script[min(len(row), len(script) - 1)]] = 0.0
        return forced

    rollout = sampled(policy, PROMPTS, adjust=spell)
    assert rollout.responses()[0] == [*wanted, policy.end]
    assert rollout.ended_B.tolist() == [True, False, True, False]
    assert rollout.tokens_BT[0, 3:].unique().tolist() == [policy.pad]
    assert rollout.logprobs_BT[0, 3:].abs().sum() == 0


def test_draws_follow_the_distribution():
    p_V = torch.tensor([0.5, 0.3, 0.15, 0.05])
    drawn = draw_tokens(p_V.log().expand(40_000, 4), torch.Generator().manual_seed(1))
    shares = torch.bincount(drawn, minlength=4) / 40_000
    torch.testing.assert_close(shares, p_V, atol=0.01, rtol=0)


def test_mistakes_are_named():
    policy = tiny_policy.tiny_policy()
    with pytest.raises(ValueError, match="prompt of at least one token"):
        sample_responses(policy.model, [[]], 4, end=0, pad=1)
    with pytest.raises(ValueError, match="max_new_tokens is 0"):
        sample_responses(policy.model, [[5]], 0, end=0, pad=1)
    with pytest.raises(ValueError, match="both token 0"):
        sample_responses(policy.model, [[5]], 4, end=0, pad=0)
    with pytest.raises(ValueError, match="give another pad"):
        Policy(policy.model, policy.encode, policy.decode, 3, 3)


NAN, INF = math.nan, math.inf
POLICY = tiny_policy.tiny_policy()


@one_wrong(
    {
        "model": [None, POLICY],
        "prompts": [None, [], [[]], ["ab"], [[1.5]], [None], [5], [[999]], [[-1]]],
        "max_new_tokens": [None, 0, 1.5, NAN],
        "end": [None, -1, 1, 500, [], [0, 1], [0, None], "0", [0.0]],
        "pad": [None, 0, 500],
        "group": [None, 0, -1, 1.5],
        "temperature": [None, -1, NAN, INF, "x"],
        "generator": [3],
        "adjust": [3],
    }
)
def test_rollouts(name: str, wrong: object) -> None:
    usual: dict[str, Any] = {"model": POLICY.model, "prompts": [[5]], "max_new_tokens": 2, "end": 0, "pad": 1}
    refused(lambda: sample_responses(**usual | {name: wrong}))
