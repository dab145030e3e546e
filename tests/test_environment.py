"""pyproject.toml, constraints.txt, environment.yml and the imports of the code say the same."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
OWN = "nemo-lab"
# What `make test` and environment.yml install besides the core.
TESTED = ("fused", "notebooks", "peers", "test")
# Modules of extras are named differently from their packages, and need not be installed here.
MODULE_OF = {"transformer-engine": "transformer_engine", "flash-attn": "flash_attn", "mamba-ssm": "mamba_ssm"}
# Used by name and not by import: in the Makefile, in the tests' options, or inside Jupyter.
USED_BY_COMMAND = {
    "jupyterlab": "jupyter lab",
    "nbval": "--nbval-lax",
    "pytest-xdist": "-n 2",
    "pytest": "pytest",
}


def requirements(lines: Iterable[str]) -> list[Requirement]:
    return [Requirement(line) for line in lines]


@cache
def constraints() -> dict[str, str]:
    """Name and exact version of every line of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [
        re.fullmatch(r"([A-Za-z0-9._-]+)==([0-9][A-Za-z0-9.]*)", line) for line in lines if line[:1] not in ("", "#")
    ]
    assert all(pins), "constraints.txt holds name==version, without build suffixes, and comments"
    return {canonicalize_name(pin[1]): pin[2] for pin in pins if pin}


def installed_lines() -> list[str]:
    """The lines of pyproject.toml that are installed where the tests run."""
    return [*PROJECT["dependencies"], *(line for extra in TESTED for line in EXTRAS[extra])]


def declared() -> list[Requirement]:
    """Every dependency of pyproject.toml, in the core or an extra."""
    return requirements([*PROJECT["dependencies"], *(line for lines in EXTRAS.values() for line in lines)])


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_dependency_has_a_bound_and_a_pin_within_it(requirement: Requirement) -> None:
    assert [clause.operator for clause in requirement.specifier] == [">="]
    assert requirement.specifier.contains(constraints()[canonicalize_name(requirement.name)])


def test_constraints_cover_all_that_the_test_installation_brings() -> None:
    found = installed_closure(requirements(installed_lines()))
    missing = {name: version for name, version in found.items() if name not in constraints()}
    assert not missing, f"add to constraints.txt: {missing}"


def test_this_environment_is_the_pinned_one() -> None:
    """Else a green run here says nothing of what `make run` installs."""
    found = installed_closure(requirements(installed_lines()))
    other = {name: version for name, version in found.items() if constraints().get(name, version) != version}
    assert not other, f"installed, but not the version of constraints.txt: {other}"


def installed_closure(todo: list[Requirement]) -> dict[str, str]:
    """Name and version of these packages and all they need, as installed here."""
    seen: set[str] = set()
    versions: dict[str, str] = {}
    while todo:
        requirement = todo.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        package = distribution(requirement.name)
        versions[canonicalize_name(requirement.name)] = package.version.split("+")[0]
        todo += needed(package.requires or [], requirement.extras)
    return versions


def needed(lines: Iterable[str], extras: set[str]) -> Iterator[Requirement]:
    """The requirements that hold on this machine with these extras and are installed."""
    for requirement in requirements(lines):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in {"", *extras}):
            try:
                distribution(requirement.name)
            except PackageNotFoundError:
                continue  # pip would have installed it: it is for another build of the package
            yield requirement


def test_conda_environment_uses_the_same_versions() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))
    conda = [item for item in environment["dependencies"] if isinstance(item, str)]
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    assert environment["name"] == OWN
    assert pip == ["-c constraints.txt", f"-e .[{','.join(TESTED)}]"]
    names = {re.split("[=<> ]", item)[0] for item in conda}
    assert {"python", "pip", "lynx"} <= names
    assert not names & {canonicalize_name(r.name) for r in declared()}, "Python packages come from constraints.txt"
    python = next(item.split("=")[1] for item in conda if item.startswith("python="))
    assert python in PROJECT["requires-python"]


def test_makefile_installs_with_the_constraints() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert "--constraint constraints.txt" in makefile
    assert not re.search(r"[a-z]==\d", makefile), "versions belong into constraints.txt"


# --- imports and declarations


def imported_modules(source: str) -> set[str]:
    """Top-level names of absolute imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    return names - set(sys.stdlib_module_names)


def notebook_source(path: Path) -> str:
    from IPython.core.inputtransformer2 import TransformerManager

    cells = [cell.source for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    return "\n".join(TransformerManager().transform_cell(cell) for cell in cells)


@cache
def imports_of(folder: str) -> dict[str, str]:
    """Third-party module and one file that imports it."""
    found: dict[str, str] = {}
    for path in sorted((ROOT / folder).rglob("*.py")):
        found |= dict.fromkeys(imported_modules(path.read_text(encoding="utf-8")), path.name)
    for path in sorted((ROOT / folder).glob("*.ipynb")):
        found |= dict.fromkeys(imported_modules(notebook_source(path)), path.name)
    return {name: where for name, where in found.items() if name not in ("nemo_lab", "tests")}


@cache
def providers() -> Mapping[str, list[str]]:
    """Module to the installed packages that provide it; asking takes a second."""
    return packages_distributions()


def packages_of(module: str) -> set[str]:
    """The packages that provide a module, by what is installed, else by the name."""
    known = {canonicalize_name(name) for name in providers().get(module, [])}
    return known or {canonicalize_name(module)}


def names(lines: Iterable[str]) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in requirements(lines)}


@pytest.mark.parametrize("folder", ["nemo_lab", "notebooks"])
def test_every_import_is_declared(folder: str) -> None:
    optional = {name for extra in ("gpu", "fused", "cluster", "peers") for name in names(EXTRAS[extra])}
    core = names(PROJECT["dependencies"])
    allowed = core | optional
    unknown = {module: where for module, where in imports_of(folder).items() if not packages_of(module) & allowed}
    assert not unknown, f"declare in pyproject.toml: {unknown}"


def test_every_import_of_the_tests_is_declared() -> None:
    allowed = (
        names([*installed_lines(), *EXTRAS["gpu"]]) | {"triton"}  # mamba-ssm's
    )
    unknown = {m: where for m, where in imports_of("tests").items() if not packages_of(m) & allowed}
    local = {path.stem for path in (ROOT / "tests").rglob("*.py")}
    assert not unknown.keys() - local, f"declare in the extra test: {unknown}"


# jusText asks for lxml[html_clean]; the extra is spelt html-clean, and Python 3.11's own pip takes that for another.
NEEDED_BY = {"lxml-html-clean": "justext"}


@pytest.mark.parametrize("lines", [PROJECT["dependencies"], EXTRAS["notebooks"], EXTRAS["peers"]])
def test_every_dependency_is_used(lines: list[str]) -> None:
    used = {name for folder in ("nemo_lab", "notebooks") for m in imports_of(folder) for name in packages_of(m)}
    for_others = {needed for needed, by in NEEDED_BY.items() if by in used}
    idle = names(lines) - used - commanded() - for_others
    assert not idle, f"declared in pyproject.toml and used nowhere: {sorted(idle)}"


def test_every_test_dependency_is_used() -> None:
    used = {name for module in imports_of("tests") for name in packages_of(module)}
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("*.py"))
    run = {name for name in ("ruff", "mypy") if f'"{name}"' in source}
    idle = names(EXTRAS["test"]) - used - run - commanded()
    assert not idle, f"declared in the extra test and used nowhere: {sorted(idle)}"


def commanded() -> set[str]:
    """Packages that the Makefile uses by command."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return {name for name, command in USED_BY_COMMAND.items() if command in makefile}


def test_no_heavy_import_before_it_is_needed() -> None:
    """The gpu extra's modules, if they are imported at all, are imported inside functions."""
    optional = {MODULE_OF.get(name, name.replace("-", "_")) for name in names([*EXTRAS["gpu"], *EXTRAS["cluster"]])}
    for path in sorted((ROOT / "nemo_lab").rglob("*.py")):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        top = [ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
        assert not imported_modules("\n".join(top)) & optional, path.name


def test_files_that_the_package_reads_are_installed_with_it() -> None:
    files = [path for path in (ROOT / "nemo_lab").rglob("*.*") if path.is_file()]
    data = {path for path in files if path.suffix not in (".py", ".pyc")}
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    globs = settings["package-data"]["nemo_lab"]
    assert data
    assert not {path for path in data if not any(path.match(glob) for glob in globs)}


def test_the_command_is_installed() -> None:
    command = Path(sys.executable).with_name("nemo-lab")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, timeout=600, check=False)
    assert done.stdout.strip() == f"nemo-lab {PROJECT['version']}", done.stderr
