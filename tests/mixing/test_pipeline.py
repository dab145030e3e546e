"""The whole of CLIMB on a reader's own files: a folder of jsonl in, a dataset with a card out."""

import json
import subprocess
import sys
from dataclasses import replace

import datasets
import numpy as np
import pandas as pd
import pytest
import tiny_plan

from nemo_lab import corpora
from nemo_lab.lab.scales import resolve
from nemo_lab.mixing import pipeline
from nemo_lab.mixing.cautions import lion_share, ties
from nemo_lab.mixing.pools import MixingError
from nemo_lab.studies.climb_mixing.methods import recipe_from
from tests.recorders import record, spy

RECIPE = replace(recipe_from(resolve("03_climb_mixing", "smoke")), vocab_size=300, k_init=4, clusters=2, rounds=(5, 1))
COOKING = "Peel the onions, melt butter in a pan and stir until golden; season with salt, pepper and thyme. "
STARS = "The telescope showed a galaxy whose stars formed early; its redshift tells the age of the light. "


@pytest.fixture
def own_folder(tmp_path):
    """Two jsonl files of clearly different text, a goal that is like one of them, and a line that is no JSON."""
    folder = tmp_path / "own"
    folder.mkdir()
    for name, text in {"cooking": COOKING, "stars": STARS}.items():
        rows = [json.dumps({"text": f"{text * 3} Number {i} of {name}."}) for i in range(20)]
        (folder / f"{name}.jsonl").write_text("\n".join([*rows, "{broken"]) + "\n")
    goal = tmp_path / "goal.txt"
    goal.write_text(STARS * 4)
    return folder, goal


@pytest.fixture(scope="module", autouse=True)
def packaged_model():
    """Embedding needs the packaged model."""
    from nemo_lab.corpora.packages.models import model_folder

    try:
        model_folder("minilm")
    except corpora.PackageError as error:
        pytest.skip(str(error))


def test_a_folder_of_jsonl_files_becomes_a_climbmix(own_folder, tmp_path, monkeypatch):
    folder, goal = own_folder
    steps = [spy(monkeypatch, pipeline, name) for name in ("cluster_documents", "proxy_plan", "search_corpus")]
    chosen = spy(monkeypatch, pipeline, "select_documents")
    dataset, texts, reference = pipeline.read_sources([str(folder)], str(goal), "", 0, 10_000)
    assert len(dataset) == 40
    assert reference is None
    lines, notes = [], ["Own note."]
    out = pipeline.make_climbmix(dataset, texts, RECIPE, tmp_path / "mix", seed=1, tell=lines.append, notes=notes)
    rows = datasets.Dataset.from_parquet(str(out / "data" / "train.parquet"), cache_dir=str(tmp_path / "cache"))
    assert 0 < len(rows) <= 40
    assert set(rows["text"]) <= set(dataset["text"])
    assert len(pd.read_parquet(out / "proxies.parquet")) == 6
    assert "6 proxies" in lines[-1]
    rows_read = RECIPE.proxy_steps * RECIPE.batch_size
    weights, names = (pd.read_parquet(out / "mixture.parquet")[column].to_numpy() for column in ("weight", "cluster"))
    doubts = ties(pd.read_parquet(out / "proxies.parquet")["goal"].to_numpy(), rows_read) + lion_share(weights, names)
    assert lines[1:-1] == doubts
    said = (out / "README.md").read_text().split("## Limits")[1]
    assert all(f"- {note}\n" in said for note in [*notes, *doubts])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "goal.txt", "mix", "own"]
    assert [step.only("seed") for step in (*steps, chosen)] == [1] * 4
    assert steps[1].only("held_out").texts == tuple(texts), "proxies are scored on the goal"
    assert steps[2].only("objective") == "goal"


def test_the_command_does_the_same_and_says_where(own_folder, tmp_path):
    folder, goal = own_folder
    command = [sys.executable, "-m", "nemo_lab.cli", "climbmix", str(folder), "--goal", str(goal), "--scale", "smoke"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "mix")], capture_output=True, text=True, timeout=1200, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("mix")
    assert (tmp_path / "mix" / "README.md").is_file()
    again = subprocess.run(
        [*command, "--out", str(tmp_path / "mix")], capture_output=True, text=True, timeout=1200, check=False
    )
    assert again.returncode == 2
    assert "exists; choose another folder" in again.stderr


def test_clusters_of_clearly_different_text_are_told_apart():
    texts = [f"{COOKING} {i}" for i in range(10)] + [f"{STARS} {i}" for i in range(10)]
    clustering, _ = pipeline.cluster_documents(texts, RECIPE, seed=0)
    labels = clustering.labels_N
    assert clustering.k == 2
    assert len(set(labels[:10])) == len(set(labels[10:])) == 1
    assert labels[0] != labels[10]


def test_mistakes_are_named(own_folder, tmp_path):
    folder, _ = own_folder
    with pytest.raises(MixingError, match="among the sources"):
        pipeline.read_sources(["novels"], "novels", "", 1000, 1000)
    one = datasets.Dataset.from_dict({"text": ["a"], "corpus": ["a"]})
    with pytest.raises(MixingError, match="1 documents"):
        pipeline.make_climbmix(one, ["goal"], RECIPE, tmp_path / "new")
    with pytest.raises(MixingError, match="exists"):
        pipeline.make_climbmix(one, ["goal"], RECIPE, folder)


def test_a_goal_is_cut_at_a_whole_text():
    assert pipeline._up_to(["aaaa", "bbbb", "cc"], 9) == ["aaaa", "bbbb"]
    assert pipeline._up_to(["aaaa"], 1) == ["aaaa"]


def test_scratch_and_warm_plans_differ_in_base_and_warmup(lab_home):
    scratch = replace(RECIPE, base_steps=0, proxy_steps=16)
    pools, held_out = tiny_plan.pools(), tiny_plan.plan().held_out
    plan = pipeline.proxy_plan(pools, held_out, scratch)
    assert plan.base is None
    assert plan.settings.warmup_steps == 2
    warm = pipeline.proxy_plan(pools, held_out, replace(scratch, base_steps=1))
    assert warm.base is not None
    assert warm.settings.warmup_steps == 0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"out": None}, "out is None, expected the path"),
        ({"goal": "one text"}, "goal is one text, 'one text'"),
        ({"recipe": None}, "recipe is None, expected a ClimbRecipe"),
        ({"seed": -1}, "seed is -1"),
        ({"size": 1.5}, "size is 1.5"),
    ],
)
def test_what_cannot_be_mixed_is_one_sentence(change, words, tmp_path):
    rows = datasets.Dataset.from_dict({"text": ["a", "b"], "corpus": ["x", "y"]})
    recipe = recipe_from(resolve("03_climb_mixing", "smoke"))
    with pytest.raises(MixingError, match=words):
        pipeline.make_climbmix(rows, **{"goal": ["g"], "recipe": recipe, "out": tmp_path / "mix"} | change)


# --- what reaches the steps


def test_the_seed_reaches_clusters_and_quality(monkeypatch):
    texts, good = [f"{COOKING} {i}" for i in range(12)], [STARS] * 6
    vectors = record(
        monkeypatch, pipeline, "embedded", lambda given: np.random.default_rng(len(given)).random((len(given), 4))
    )
    cells, scored = spy(monkeypatch, pipeline, "kmeans"), spy(monkeypatch, pipeline, "quality_scores")
    pruned = spy(monkeypatch, pipeline, "prune")
    pipeline.cluster_documents(texts, replace(RECIPE, threshold=0.5), 7, good)
    assert vectors.all("texts") == [texts, good]
    assert cells.only("seed") == scored.only("seed") == 7
    assert len(scored.only("reference_RD")) == 6
    assert pruned.only("threshold") == 0.5
    pipeline.cluster_documents(texts, RECIPE, 7)
    assert len(pruned.calls) == 1, "without a reference nothing is pruned"


def test_the_seed_reaches_search_proxies_and_their_start(monkeypatch):
    climbed = record(monkeypatch, pipeline, "climb", "found")
    made = record(monkeypatch, pipeline, "runner", "run")
    plan = tiny_plan.uneven()
    assert pipeline.search_corpus(plan, "goal", RECIPE, 7, n_jobs=3) == "found"
    assert (made.only("seed"), made.only("n_jobs")) == (7, 3)
    assert (climbed.only("seed"), climbed.only("run"), climbed.only("objective")) == (7, "run", "goal")
    assert np.array_equal(climbed.only("prior_K"), plan.pools.natural_K)
    assert climbed.only("settings") == pipeline.SearchSettings(RECIPE.rounds, RECIPE.candidates)
    started = record(monkeypatch, pipeline, "run_many", ["base"])
    warm = pipeline.proxy_plan(plan.pools, plan.held_out, replace(RECIPE, base_steps=5), 7)
    (job,) = started.only("jobs")
    assert (job.func, job.args[1:]) == (pipeline.base_model, (5, 7))
    assert warm.base == "base"


def test_sources_are_of_training_and_the_goal_of_validation(monkeypatch):
    given = datasets.Dataset.from_dict({"text": ["some"], "corpus": ["c"]})
    mixed = record(monkeypatch, pipeline, "mixture", given)
    pipeline.read_sources(["code", "law"], "novels", "", 1000, 500)
    assert [(call["corpora"], call["split"]) for call in mixed.calls] == [
        (["code"], "train"),
        (["law"], "train"),
        (["novels"], "validation"),
    ]
