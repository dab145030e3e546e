"""Which layers a recipe takes, that taking them has an effect, and that the model stays the same model."""

from pathlib import Path

import pytest
import torch
from torch import nn

from nemo_lab.errors import LabError
from nemo_lab.modeling import HybridConfig, HybridLM, huggingface
from nemo_lab.precision import RECIPES, Fp8Linear, plain_state, to_fp8
from nemo_lab.precision.swap import gemms, watching
from nemo_lab.training import TrainingError, TrainSettings, load_model, pack, train

SMALL = HybridConfig(
    pattern="M-*-M-",
    vocab_size=64,
    d_model=32,
    d_ff=48,
    n_heads=2,
    head_dim=16,
    ssm_heads=4,
    ssm_head_dim=16,
    ssm_state=8,
)
TOKENS = torch.randint(64, (2, 24), generator=torch.Generator().manual_seed(0))


def loss(model: nn.Module) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        return model.loss(TOKENS[:, :-1], TOKENS[:, 1:])


def test_query_key_and_value_are_one_product_and_the_head_is_none() -> None:
    assert gemms(HybridLM(SMALL)) == [
        ("blocks.0.mixer.in_proj",),
        ("blocks.0.mixer.out_proj",),
        ("blocks.1.mixer.up_proj",),
        ("blocks.1.mixer.down_proj",),
        ("blocks.2.mixer.q_proj", "blocks.2.mixer.k_proj", "blocks.2.mixer.v_proj"),
        ("blocks.2.mixer.o_proj",),
        ("blocks.3.mixer.up_proj",),
        ("blocks.3.mixer.down_proj",),
        ("blocks.4.mixer.in_proj",),
        ("blocks.4.mixer.out_proj",),
        ("blocks.5.mixer.up_proj",),
        ("blocks.5.mixer.down_proj",),
    ]


def test_first_and_last_four_products_stay_in_bf16() -> None:
    model = HybridLM(SMALL)
    swapped = to_fp8(model, RECIPES["nemotron_h"])
    inner = ("q_proj", "k_proj", "v_proj", "o_proj")
    assert swapped.fp8 == (
        *(f"blocks.2.mixer.{name}" for name in inner),
        "blocks.3.mixer.up_proj",
        "blocks.3.mixer.down_proj",
    )
    assert len(swapped.bf16) == 8
    for name, module in model.named_modules():
        assert isinstance(module, Fp8Linear) == (name in swapped.fp8)


@pytest.mark.parametrize("name", RECIPES)
def test_the_swap_changes_the_loss_a_little_and_the_parameters_not_at_all(name: str) -> None:
    plain, model = HybridLM(SMALL, seed=1), HybridLM(SMALL, seed=1)
    parameters = dict(model.named_parameters())
    swapped = to_fp8(model, RECIPES[name].with_(first_bf16=0, last_bf16=0))
    assert len(swapped.fp8) == 14
    assert swapped.bf16 == ()
    assert all(parameters[key] is value for key, value in model.named_parameters())
    before, after = loss(plain), loss(model)
    assert 0 < abs((after - before).item()) < 0.1
    after.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_weights_go_back_into_a_plain_model() -> None:
    model = HybridLM(SMALL, seed=2)
    to_fp8(model, RECIPES["nano_v2"])
    back = HybridLM(SMALL, seed=3)
    back.load_state_dict(model.state_dict())
    assert torch.equal(loss(back), loss(HybridLM(SMALL, seed=2)))


def test_swapping_leaves_the_global_random_numbers_alone() -> None:
    model = HybridLM(SMALL)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    to_fp8(model, RECIPES["nemotron_h"])
    assert torch.equal(torch.rand(3), expected)


def test_another_recipe_may_follow() -> None:
    model = HybridLM(SMALL)
    first = to_fp8(model, RECIPES["nemotron_h"])
    assert to_fp8(model, RECIPES["nano_v2"]) == first
    assert {m.recipe.name for m in model.modules() if isinstance(m, Fp8Linear)} == {"nano_v2"}
    with pytest.raises(LabError, match=r"blocks.2.mixer.q_proj is in FP8 .* start from a fresh model"):
        to_fp8(model, RECIPES["nano_v2"].with_(first_bf16=5))


def test_gradients_are_watched_within_the_block_only() -> None:
    model, seen = HybridLM(SMALL), []
    with pytest.raises(LabError, match="no FP8 layer to watch"), watching(model, print):
        pass
    swapped = to_fp8(model, RECIPES["nemotron_h"].with_(first_bf16=0, last_bf16=0))
    with watching(model, lambda name, dy: seen.append((name, dy.shape))):
        loss(model).backward()
    loss(model).backward()
    assert sorted(name for name, _ in seen) == sorted(swapped.fp8)
    assert dict(seen)["blocks.1.mixer.up_proj"] == (46, 48)
    assert dict(seen)["blocks.0.mixer.in_proj"] == (46, SMALL.in_proj_width)  # computed channel-first


def test_what_cannot_be_swapped_is_refused() -> None:
    with pytest.raises(LabError, match=r"12 matrix products and 6 \+ 6 stay in BF16: nothing is left"):
        to_fp8(HybridLM(SMALL), RECIPES["nemotron_h"].with_(first_bf16=6, last_bf16=6))
    with pytest.raises(LabError, match=r"Unknown FP8 backend 'te'.*valid: auto, torch, transformer-engine"):
        to_fp8(HybridLM(SMALL), RECIPES["nemotron_h"], backend="te")
    with pytest.raises(LabError, match="nothing is left"):
        to_fp8(nn.Sequential(nn.ReLU()), RECIPES["nemotron_h"])


def test_ends_that_outnumber_the_products_leave_nothing() -> None:
    for count in (3, 6):
        model = nn.Sequential(*(nn.Linear(8, 8) for _ in range(count)))
        with pytest.raises(LabError, match="nothing is left"):
            to_fp8(model, RECIPES["nemotron_h"].with_(first_bf16=0, last_bf16=count + 1))


def test_a_recipe_may_be_named() -> None:
    model = HybridLM(SMALL)
    to_fp8(model, "nano_v2")
    assert model.get_submodule("blocks.2.mixer.o_proj").recipe == RECIPES["nano_v2"]


def test_a_head_tied_to_the_embedding_and_torchs_attention_stay() -> None:
    model = nn.Module()
    model.embedding, model.inner, model.decoder = nn.Embedding(9, 8), nn.Linear(8, 8), nn.Linear(8, 9, bias=False)
    model.decoder.weight = model.embedding.weight
    model.attention = nn.MultiheadAttention(8, 2)
    assert gemms(model) == [("inner",)]


def test_layers_that_cannot_be_replaced_by_name_are_refused() -> None:
    with pytest.raises(LabError, match="a linear layer itself"):
        to_fp8(nn.Linear(8, 8), "nemotron_h")
    model = nn.Sequential(nn.Linear(8, 8))
    model.append(model[0])
    with pytest.raises(LabError, match="Layers 0 and 1 are one module"):
        to_fp8(model, RECIPES["nemotron_h"].with_(first_bf16=0, last_bf16=0))


@pytest.mark.parametrize("name", RECIPES)
def test_the_plain_state_loads_into_a_plain_model_and_opens_in_transformers(name: str, tmp_path: Path) -> None:
    plain = HybridLM(SMALL, seed=3)
    ours = HybridLM(SMALL, seed=3)
    to_fp8(ours, RECIPES[name])
    loss(ours).backward()
    state = plain_state(ours)
    assert (state.keys() != ours.state_dict().keys()) == (name == "delayed")
    fresh = HybridLM(SMALL, seed=4)
    fresh.load_state_dict(state)
    assert torch.equal(fresh(TOKENS), plain(TOKENS))
    saved = huggingface.from_hf(huggingface.save_hf(fresh, tmp_path / "saved"))
    assert torch.equal(saved.head.weight, plain.head.weight)


@pytest.mark.parametrize("name", RECIPES)
def test_an_fp8_model_loads_into_a_plain_one_and_is_saved_for_transformers(name: str, tmp_path: Path) -> None:
    model, plain, fresh = HybridLM(SMALL, seed=3), HybridLM(SMALL, seed=3), HybridLM(SMALL, seed=4)
    to_fp8(model, RECIPES[name])
    loss(model).backward()
    fresh.load_state_dict(model.state_dict())
    assert torch.equal(fresh(TOKENS), plain(TOKENS))
    saved = huggingface.from_hf(huggingface.save_hf(model, tmp_path / "saved"))
    assert torch.equal(saved(TOKENS), plain(TOKENS))


def test_nothing_else_is_left_out_when_a_plain_model_loads() -> None:
    state = HybridLM(SMALL).state_dict()
    for name in ("blocks.2.mixer.q_proj.other", "blocks.2.mixer.scales.weight.history"):
        with pytest.raises(RuntimeError, match="Unexpected key"):
            HybridLM(SMALL).load_state_dict(state | {name: torch.zeros(1)})
    model = HybridLM(SMALL)
    model.blocks[0].added = nn.Linear(2, 2)
    with pytest.raises(RuntimeError, match="Unexpected key"):
        huggingface.to_hf(model)


class Stop(Exception):
    pass


def stop(row: dict[str, float]) -> None:
    if row["step"] == 5:
        raise Stop


ROWS = pack([list(range(1, 60))] * 4, 16, eos=0)
FEW = TrainSettings(steps=8, batch_size=4, peak_lr=1e-2, checkpoint_every=2)


def trained(recipe: object, folder: Path | None = None, **how: object) -> tuple[nn.Module, list[float]]:
    model = HybridLM(SMALL, seed=1)
    if recipe is not None:
        to_fp8(model, recipe)  # type: ignore[arg-type]
    history = train(model, ROWS, FEW, folder=folder, progress=False, **how)  # type: ignore[arg-type]
    return model, history.loss.tolist()


@pytest.mark.parametrize("name", ["nemotron_h", "delayed"])
def test_a_stopped_fp8_run_goes_on_bit_for_bit(name: str, tmp_path: Path) -> None:
    with pytest.raises(Stop):
        trained(name, tmp_path, on_step=stop)
    model, losses = trained(name, tmp_path)
    whole, expected = trained(name)
    assert losses == expected
    state = whole.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (None, r"model.parts.blocks.2.mixer.k_proj.fp8.activation.format='e4m3', now it is None"),
        ("nano_v2", r"k_proj.fp8.activation.power_of_two=False, now it is True"),
        (
            RECIPES["nemotron_h"].with_(first_bf16=3),
            r"blocks.1.mixer.down_proj.fp8.activation.format=None, now it is 'e4m3'",
        ),
        (RECIPES["nemotron_h"].with_(history=7), r"k_proj.fp8.history=1024, now it is 7"),
    ],
    ids=["bf16", "nano_v2", "another layer", "another value"],
)
def test_the_folder_of_an_fp8_run_knows_its_layers_and_recipe(other: object, said: str, tmp_path: Path) -> None:
    trained("nemotron_h", tmp_path)
    with pytest.raises(TrainingError, match=said):
        trained(other, tmp_path)


def test_a_folder_with_delayed_scales_says_in_a_sentence_that_a_plain_model_does_not_fit(tmp_path: Path) -> None:
    trained("delayed", tmp_path)
    with pytest.raises(TrainingError, match=r"has in addition blocks.2.mixer.k_proj.scales.*use the model it was"):
        load_model(HybridLM(SMALL), tmp_path)


@pytest.mark.parametrize("model", [None, "nemotron", 5])
def test_what_is_no_module_is_one_sentence(model: object) -> None:
    with pytest.raises(LabError, match=r"model is a .*, expected a torch module"):
        to_fp8(model, "nemotron_h")  # type: ignore[arg-type]
    with pytest.raises(LabError, match=r"model is a .*, expected a torch module"):
        plain_state(model)  # type: ignore[arg-type]


@pytest.mark.parametrize("recipe", [None, 5, ["nano_v2"], "nano_v3"])
def test_what_is_no_recipe_is_one_sentence(recipe: object) -> None:
    with pytest.raises(LabError, match=r"Unknown FP8 recipe .* valid: .*nano_v2"):
        to_fp8(HybridLM(SMALL), recipe)  # type: ignore[arg-type]
