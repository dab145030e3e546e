"""The bar for the repository as a whole: short functions, layers without a circle, nothing of one machine.

Most of it reads the syntax trees of the package; nothing here runs a model. The bar and its reasons are in
the contributor's part of README. Lengths are counted in lines of code: blank lines, comments and the
docstring are free, so that nobody saves on explaining.
"""

import ast
import io
import re
import statistics
import subprocess
import sys
import tokenize
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "nemo_lab"
MODULES = sorted(PACKAGE.rglob("*.py"))
MAX_MODULE_LINES = 340
LONGEST, LONG, MEDIAN = 60, 20, 8
Function = ast.FunctionDef | ast.AsyncFunctionDef
Offences = Callable[[Path], object]


def offenders(offences: Offences) -> dict[str, object]:
    """All modules that offend, each with what it does: one test reports them all."""
    found = {str(path.relative_to(PACKAGE)): offences(path) for path in MODULES}
    return {name: bad for name, bad in found.items() if bad}


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def code_lines(path: Path) -> frozenset[int]:
    """Numbers of the lines that hold code: no blank lines, comments or docstrings."""
    source = path.read_text(encoding="utf-8")
    layout = {
        tokenize.COMMENT,
        tokenize.NL,
        tokenize.NEWLINE,
        tokenize.INDENT,
        tokenize.DEDENT,
        tokenize.ENDMARKER,
    }
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in layout:
            lines.update(range(token.start[0], token.end[0] + 1))
    return frozenset(lines - docstring_lines(path))


def docstring_lines(path: Path) -> set[int]:
    lines: set[int] = set()
    for node in ast.walk(tree(path)):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if documented and ast.get_docstring(node) is not None:
            lines.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    return lines


def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(tree(path)) if isinstance(node, Function)]


def length(path: Path, function: Function) -> int:
    """Lines of code of a function, its signature included."""
    return sum(function.lineno <= line <= (function.end_lineno or 0) for line in code_lines(path))


def public(path: Path) -> Iterator[Function | ast.ClassDef]:
    """Public functions and classes of a module, and public methods of its public classes."""
    for node in tree(path).body:
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from (m for m in node.body if isinstance(m, Function) and not m.name.startswith("_"))


# --- size and names


def test_no_function_is_long() -> None:
    def long(path: Path) -> dict[str, int]:
        return {f.name: length(path, f) for f in functions(path) if length(path, f) > LONGEST}

    assert not offenders(long)


def test_functions_are_short_as_a_rule() -> None:
    lengths = sorted(length(path, function) for path in MODULES for function in functions(path))
    assert statistics.median(lengths) <= MEDIAN
    assert lengths[int(0.9 * len(lengths))] <= LONG


def test_modules_are_short_and_say_what_they_are() -> None:
    def silent_or_long(path: Path) -> str:
        lines = len(path.read_text(encoding="utf-8").splitlines())
        return f"{lines} lines" if lines > MAX_MODULE_LINES else "" if ast.get_docstring(tree(path)) else "no docstring"

    assert not offenders(silent_or_long)


def test_nothing_is_named_for_nothing() -> None:
    vague = {"utils", "util", "helpers", "misc", "common", "stuff"}

    def vaguely_named(path: Path) -> set[str]:
        return vague & {*path.relative_to(PACKAGE).with_suffix("").parts, *(node.name for node in public(path))}

    assert not offenders(vaguely_named)


def class_names(paths: Iterable[Path]) -> dict[str, list[str]]:
    """Where each public class of some modules is defined."""
    homes: dict[str, list[str]] = {}
    for path in paths:
        for node in public(path):
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(path.stem)
    return homes


def test_no_two_classes_share_a_name() -> None:
    """A reader of two notebooks must not meet one name for two things."""
    assert not {name: homes for name, homes in class_names(MODULES).items() if len(homes) > 1}


# --- documentation and types


def test_public_things_are_documented() -> None:
    def undocumented(path: Path) -> list[str]:
        return [node.name for node in public(path) if not ast.get_docstring(node)]

    assert not offenders(undocumented)


def unannotated(path: Path) -> list[tuple[str, list[str]]]:
    """Functions that lack an annotation, with the arguments that do; none: the result."""
    bare = []
    for function in functions(path):
        arguments = function.args
        named = [
            *arguments.posonlyargs,
            *arguments.args,
            *arguments.kwonlyargs,
            arguments.vararg,
            arguments.kwarg,
        ]
        untyped = [a.arg for a in named if a and a.annotation is None and a.arg not in ("self", "cls")]
        if untyped or (function.returns is None):
            bare.append((function.name, untyped))
    return bare


def test_every_function_is_annotated() -> None:
    assert not offenders(unannotated)


# --- layers: who may import whom (folder to folders; every folder may import itself)

# Modules without a folder, and `sources`: all may import them, they import each other only.
GROUND = {"artifacts", "charsets", "errors", "files", "jobs", "lazy", "memory", "progress", "sources", "timing"}
BASE = {"modeling", "precision", "training", "corpora", "corpora/packages", "corpora/readers"}
METHODS = {"curation", "mixing", "compression", "reasoning"}
# Room by room, what it may import beside the ground and itself; a room that is not here belongs to the one around it.
# The names are those of folders, and of `lab/scales`, which the rooms below `lab` use.
ROOMS: dict[str, set[str]] = {
    "modeling": set(),
    "precision": {"modeling"},
    "training": {"modeling"},
    "corpora/packages": set(),
    "corpora/readers": {"corpora/packages"},
    "corpora": {"corpora/packages", "corpora/readers"},
    "curation": set(),
    "curation/formulas": set(),
    "curation/pages": {"curation/formulas"},
    "curation/filters": BASE,
    "curation/duplicates": {"corpora"},
    "curation/rewriting": {*BASE, "curation/pages"},
    "curation/shards": {*BASE, *(f"curation/{room}" for room in ("pages", "filters", "duplicates", "rewriting"))},
    "mixing": BASE,
    "compression": {"modeling", "precision", "training"},
    "compression/puzzle": {"modeling", "precision", "training", "compression"},
    "reasoning/questions": set(),
    "reasoning": {"modeling", "training", "reasoning/questions"},
    "reasoning/retro": {"modeling", "training", "reasoning", "reasoning/questions"},
    "studies": set(),
    "lab/scales": {"studies"},
    "lab/ledger": {"lab/scales"},
    "lab/runs": {"lab/scales", "lab/ledger", "studies"},
    "lab/report": {"lab/ledger", "lab/runs"},
    "lab": {"lab/scales", "lab/ledger", "lab/runs", "lab/report"},
}


def room_of(module: str) -> str:
    """The innermost room that a module belongs to, `studies/NAME` for a study's, its own name on the ground."""
    parts = module.split(".")[1:]
    if parts[0] == "studies" and len(parts) > 1 and (PACKAGE / "studies" / parts[1]).is_dir():
        return "/".join(parts[:2])
    names = ["/".join(parts[:depth]) for depth in range(len(parts), 0, -1)]
    return next((name for name in names if name in ROOMS), parts[0])


def imported(path: Path) -> set[str]:
    """Modules of the package that a module imports, also inside functions and relatively."""
    package = path.relative_to(ROOT).parent.parts
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package[: len(package) - node.level + 1]] if node.level else [])
            stem = ".".join(filter(None, [base, node.module]))
            found |= {resolve(stem, alias.name) for alias in node.names}
    return {name for name in found if name.split(".")[0] == "nemo_lab"}


def resolve(module: str, name: str) -> str:
    """`from module import name`: the submodule if there is one, else the module."""
    inside = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if inside.with_suffix(".py").is_file() or inside.is_dir() else module


def allowed(importer: str, module: str) -> bool:
    """Whether one module may import another, by their full names."""
    here, there = room_of(importer), room_of(module)
    if here == there or there in GROUND:
        return True
    if here in GROUND:
        return False
    if here.startswith("studies/"):  # of studies only what all of them share
        return there == "studies" or there in BASE or there.split("/")[0] in METHODS
    return there in ROOMS[here]


def name_of(path: Path) -> str:
    """The module's full name; a package's without `__init__`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def upward(path: Path) -> set[str]:
    """What a module imports and may not; the package itself and the command line stand on top."""
    name = name_of(path)
    if name in ("nemo_lab", "nemo_lab.cli"):
        return set()
    assert room_of(name) in {*ROOMS, *GROUND} or room_of(name).startswith("studies/"), f"add {name} to the rooms"
    return {module for module in imported(path) if module != "nemo_lab" and not allowed(name, module)}


def test_imports_go_downward() -> None:
    assert not offenders(upward)


def test_no_circle_of_modules() -> None:
    """Imports inside functions count too: a module that needs another one's definition is not below it."""
    below = {name_of(path): {m for m in imported(path) if m != name_of(path)} for path in MODULES}
    rest = dict(below)
    while True:
        free = [name for name, needs in rest.items() if not needs & rest.keys()]
        if not free:
            break
        for name in free:
            del rest[name]
    assert not rest, f"these go round, or use what does: {sorted(rest)}"


@pytest.mark.parametrize(
    ("importer", "module", "answer"),
    [
        ("training.loop", "modeling.ssd", True),
        ("modeling.ssd", "training.loop", False),
        ("modeling.ssd", "progress", True),
        ("modeling.ssd", "cli", False),
        ("modeling.ssd", "lab.ledger.claims", False),
        ("corpora.store", "artifacts", True),
        ("corpora.readers.rest", "corpora.store", False),
        ("corpora.store", "corpora.readers.rest", True),
        ("files", "errors", True),
        ("files", "training.settings", False),
        ("sources.graph", "errors", True),
        ("mixing.search", "compression.slicing", False),
        ("mixing.search", "lab.scales", False),
        ("curation.formulas.mathml", "curation.pages.prepass", False),
        ("curation.pages.prepass", "curation.formulas.mathml", True),
        ("curation.filters.heuristics", "curation.shards.files", False),
        ("reasoning.questions.items", "reasoning.policy", False),
        ("reasoning.retro.search", "reasoning.policy", True),
        ("reasoning.policy", "reasoning.retro.search", False),
        ("compression.slicing", "compression.puzzle.model", False),
        ("studies.puzzle_nas.runs", "compression.puzzle.model", True),
        ("studies.puzzle_nas.runs", "studies.checks", True),
        ("studies.puzzle_nas.runs", "studies.retro_search.runs", False),
        ("studies.puzzle_nas.runs", "lab.scales", False),
        ("lab.scales", "studies.registry", True),
        ("lab.scales", "studies.puzzle_nas.settings", False),
        ("lab.ledger.claims", "lab.scales", True),
        ("lab.ledger.claims", "lab.runs.find", False),
        ("lab.runs.find", "lab.ledger.claims", True),
        ("lab.runs.find", "lab.session", False),
    ],
)
def test_the_rooms_decide(importer: str, module: str, answer: bool) -> None:
    assert allowed(f"nemo_lab.{importer}", f"nemo_lab.{module}") is answer


def test_private_names_stay_in_their_module() -> None:
    def private(path: Path) -> list[str]:
        nodes = [node for node in ast.walk(tree(path)) if isinstance(node, ast.ImportFrom)]
        ours = [node for node in nodes if node.level or (node.module or "").startswith("nemo_lab")]
        return [alias.name for node in ours for alias in node.names if re.match(r"_[^_]", alias.name)]

    assert not offenders(private)


def test_only_the_top_imports_the_command_line() -> None:
    assert not [path.name for path in MODULES if "nemo_lab.cli" in imported(path)]


def test_importing_the_package_is_fast_and_light() -> None:
    heavy = ["torch", "transformers", "pandas", "numpy", "matplotlib", "datasets", "papermill"]
    code = (
        "import sys, time; start = time.process_time(); import nemo_lab; took = time.process_time() - start; "
        f"print(took, *[name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=600, check=True)
    seconds, *loaded = done.stdout.split()
    assert float(seconds) < 1
    assert not loaded


# --- tools


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "--output-format=concise", "."],
        ["ruff", "format", "--check", "."],
        ["mypy", "--no-error-summary"],
    ],
    ids=["linter", "formatter", "types"],
)
def test_tool_is_content(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


# --- what must not be in any file


@cache
def tracked() -> tuple[Path, ...]:
    """Text files of the repository, new ones included, ignored ones not."""
    done = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    names = done.stdout.split("\0") if done.returncode == 0 else [str(path) for path in MODULES]
    return tuple(ROOT / name for name in names if name and (ROOT / name).is_file() and not is_binary(ROOT / name))


def is_binary(path: Path) -> bool:
    with path.open("rb") as file:
        return b"\0" in file.read(4096)


def offences(pattern: str, suffixes: tuple[str, ...] = ()) -> list[str]:
    """`file:line: text` for each line that matches; this file, which holds the patterns, is left out.

    So are a notebook's pictures: any three letters stand somewhere in their base64.
    """
    picture = re.compile(r'\s*"image/png": "[A-Za-z0-9+/=\\n]*",?')
    found = []
    for path in tracked():
        if path == Path(__file__) or (suffixes and path.suffix not in suffixes):
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if re.search(pattern, line) and not (path.suffix == ".ipynb" and picture.fullmatch(line)):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    return found


def test_no_path_of_one_machine() -> None:
    """Tests may hold made-up ones such as /home/someone, to see that they are found."""
    made_up = r"(?!someone|ada\b|user\b|me\b|you\b|runner)"
    assert not offences(rf"(?<![\w.:/<$}}])/(?:home|Users)/{made_up}\w|(?<![\w.:/<$}}])/(?:root|work)/\w")


def test_no_host_of_a_package_registry() -> None:
    hosts = r"(?:pypi|pythonhosted|download\.pytorch|deb\.debian|conda\.anaconda)\.org|registry\.npmjs"
    assert not offences(hosts)


def test_nothing_is_left_unfinished() -> None:
    words = r"\b(?:TODO|FIXME|XXX|HACK)\b|NotImplementedError|assert True\b|pragma: no cover|lorem ipsum"
    assert not offences(words, (".py", ".md", ".toml", ".ipynb", ".yml"))


def test_no_dangerous_shortcut() -> None:
    """Nothing unpickles, evaluates or lets a shell read what came from outside."""
    calls = r"\bpickle\.|\bimport pickle\b|(?<![\w.])(?:eval|exec)\(|\bos\.system\("
    switches = r"\bshell=True|\btrust_remote_code=True|\bweights_only=False"
    found = offences(rf"{calls}|{switches}", (".py", ".ipynb"))
    assert not [line for line in found if not line.startswith("tests/")]


def unsafe_loads(path: Path) -> list[int]:
    """Lines that call `torch.load` without `weights_only=True`."""
    calls = [node for node in ast.walk(tree(path)) if isinstance(node, ast.Call)]
    loads = [call for call in calls if ast.unparse(call.func) == "torch.load"]
    return [
        call.lineno
        for call in loads
        if {k.arg: ast.unparse(k.value) for k in call.keywords}.get("weights_only") != "True"
    ]


def test_torch_files_are_read_as_weights_only() -> None:
    assert not offenders(unsafe_loads)


def test_the_checks_see_what_they_are_for(tmp_path: Path) -> None:
    """One bad file, seen by each check that reads one file."""
    bad = tmp_path / "bad.py"
    bad.write_text(
        "import torch\n\n\ndef load(file, *, strict: bool):\n    return torch.load(file)\n", encoding="utf-8"
    )
    assert unannotated(bad) == [("load", ["file"])]
    assert unsafe_loads(bad) == [5]
    assert [node.name for node in public(bad)] == ["load"]
    assert length(bad, functions(bad)[0]) == 2


def test_a_class_defined_twice_is_seen(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one.py", "other.py")]
    for file in files:
        file.write_text("class Plan: ...\n\n\nclass _Own: ...\n", encoding="utf-8")
    assert class_names(files) == {"Plan": ["one", "other"]}


# --- the tests

# Tests of no module: of notebooks, against other implementations, of the machine, of the repository.
APART = {"notebooks", "parity", "test_environment.py", "test_repository.py"}


def unmirrored(package: Path, tests: Path) -> dict[str, list[str]]:
    """Test files that a module lacks and test files of no module, by their names under `tests`."""
    modules = [path.relative_to(package) for path in package.rglob("*.py") if path.name != "__init__.py"]
    wanted = {path.with_name(f"test_{path.name}") for path in modules}
    found = {path.relative_to(tests) for path in tests.rglob("test_*.py")}
    idle = {path for path in found - wanted if path.parts[0] not in APART}
    return {"missing": sorted(map(str, wanted - found)), "of no module": sorted(map(str, idle))}


def test_tests_mirror_the_package_file_by_file() -> None:
    """A reader who knows the module knows where its tests are: nemo_lab/a/b.py has tests/a/test_b.py."""
    assert unmirrored(PACKAGE, ROOT / "tests") == {"missing": [], "of no module": []}


def test_a_module_without_tests_and_tests_without_a_module_are_named(tmp_path: Path) -> None:
    files = ("p/__init__.py", "p/a.py", "p/b/__init__.py", "p/b/c.py", "p/b/d.py")
    tests = ("t/test_a.py", "t/b/test_c.py", "t/b/test_gone.py", "t/b/support.py", "t/parity/test_x.py")
    for name in (*files, *tests, "t/b/parity/test_y.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = unmirrored(tmp_path / "p", tmp_path / "t")
    assert found == {"missing": ["b/test_d.py"], "of no module": ["b/parity/test_y.py", "b/test_gone.py"]}
