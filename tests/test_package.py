"""The package as a whole: its layers, its names, and a quick import."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import digressions
from digressions.cli.app import COMMANDS
from digressions.generate.declare import Params

SOURCES = Path(digressions.__file__).parent
MODULES = sorted(SOURCES.rglob("*.py"))
MAX_LINES = 350

# --- layers ----------------------------------------------------------------------------------

# A folder may import what stands below it, and its own; `docs/architecture.md` draws it.
LAYERS = [
    "cli",
    "studio",
    "api",
    "replaying",
    "mosaics worlds ensembles frames prints",
    "distributed",
    "generate",
    "models",
    "images prompts diffusion",
    "files events errors geometry homography device pace interrupts",
]
BESIDE = {
    *[
        ("worlds", "mosaics"),
        ("prints", "mosaics"),
        ("frames", "prints"),
        ("files", "errors"),
        ("geometry", "errors"),
    ],
    *[("homography", "errors"), ("device", "errors"), ("pace", "events")],
}
DOORS = {"__init__", "__main__"}  # open to everything
HEIGHT = {room: height for height, layer in enumerate(LAYERS[::-1]) for room in layer.split()}


def imported(path: Path) -> Iterator[tuple[str, int]]:
    """The rooms that a module imports from, anywhere in it, and the line."""
    inside = path.relative_to(SOURCES).parent.parts
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name.split(".") for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            home = ["digressions", *inside][: 1 + len(inside) - (node.level - 1)]
            module = (node.module or "").split(".") if node.module else []
            start = [*home, *module] if node.level else module
            names = [[*start, alias.name] for alias in node.names]
        for name in names:
            if name[0] == "digressions" and name[1:] != ["__version__"]:
                yield (name[1] if len(name) > 1 else "__init__"), node.lineno


def test_a_folder_imports_only_what_stands_below_it() -> None:
    wrong = []
    for path in MODULES:
        room = path.relative_to(SOURCES).with_suffix("").parts[0]
        for other, line in imported(path):
            below = HEIGHT.get(other, 99) < HEIGHT.get(room, 99)
            if not (room in DOORS or room == other or below or (room, other) in BESIDE):
                wrong.append(f"{path.relative_to(SOURCES)}:{line}: {room} imports {other}")
    assert wrong == []


def test_every_folder_has_its_place() -> None:
    rooms = {path.relative_to(SOURCES).with_suffix("").parts[0] for path in MODULES}
    assert rooms - DOORS - {"web"} == HEIGHT.keys()


# --- files -----------------------------------------------------------------------------------


def test_no_two_modules_have_one_name() -> None:
    names = Counter(path.stem for path in MODULES if path.stem != "__init__")
    assert [name for name, count in names.items() if count > 1] == []


def test_no_module_is_too_long_to_read() -> None:
    lines = {str(p.relative_to(SOURCES)): len(p.read_text("utf-8").splitlines()) for p in MODULES}
    assert {name: count for name, count in lines.items() if count > MAX_LINES} == {}


# --- words -----------------------------------------------------------------------------------


def literals(path: Path) -> Iterator[tuple[str, int]]:
    """The texts in a module's code with their lines, docstrings left out."""
    tree = ast.parse(path.read_text("utf-8"))
    bodies = [node.body for node in ast.walk(tree) if isinstance(getattr(node, "body", None), list)]
    alone = {id(line.value) for body in bodies for line in body if isinstance(line, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in alone:
            yield node.value, node.lineno


OTHERS = {"--head", "--directory", "--kiosk", "--no-first-run", "--user-data-dir"}
"""Options of other programs: ray, Python's own web server, browsers."""


def in_literals(pattern: str) -> dict[str, str]:
    """What a pattern finds in the library's texts, with a place of each."""
    return {
        found: f"{path.relative_to(SOURCES)}:{line}"
        for path in MODULES
        if path.relative_to(SOURCES).parts[0] != "cli"
        for text, line in literals(path)
        for found in re.findall(pattern, text)
    }


def test_the_library_does_not_speak_of_options() -> None:
    """A message names parameters as Python does, in backquotes; the command line words them."""
    found = in_literals(r"(?<![\w-])--[a-z][a-z-]*")
    assert {option: place for option, place in found.items() if option not in OTHERS} == {}


def kinds(of: type[Params]) -> Iterator[type[Params]]:
    for kind in of.__subclasses__():
        yield from (kind, *kinds(kind))


def test_every_parameter_that_a_message_names_is_one() -> None:
    for path in MODULES:
        if path.stem not in ("__init__", "__main__"):
            names = path.relative_to(SOURCES).with_suffix("").parts
            importlib.import_module(".".join(["digressions", *names]))
    known = {name for kind in kinds(Params) for name in kind.model_fields} | {"output"}
    found = in_literals("`([A-Za-z_][A-Za-z0-9_]*)`")
    assert {name: place for name, place in found.items() if name not in known} == {}


# --- importing -------------------------------------------------------------------------------

HELP = "from digressions.cli.app import main\ntry:\n    main({!r})\nexcept SystemExit:\n    pass"


@pytest.mark.parametrize(
    "statement",
    [
        "import digressions",
        "import digressions.cli.app",
        HELP.format(["--help"]),
        *(HELP.format([command, "--help"]) for command in COMMANDS),
    ],
    ids=["package", "app", "help", *COMMANDS],
)
def test_importing_and_help_pull_in_no_deep_learning(statement: str) -> None:
    program = (
        f"import sys\n{statement}\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'ncnn', 'huggingface_hub', 'cv2'}\n"
        "heavy |= {'starlette', 'uvicorn', 'ray', 'gradio', 'fastapi'}\n"
        "print(*sorted(heavy & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1].strip() == ""
    assert found.stderr == ""


@pytest.mark.parametrize("name", digressions.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(digressions, name) is not None
    assert name in dir(digressions)


def test_no_public_name_is_a_module() -> None:
    """Importing the module would put it in the name's place, from the second use on."""
    modules = {path.stem for path in SOURCES.iterdir() if path.is_dir() or path.suffix == ".py"}
    assert not modules & set(digressions.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        digressions.nonsense  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    """The names that are fetched late stand twice in ``__init__``: for Python and for mypy."""
    tree = ast.parse(Path(digressions.__file__).read_text("utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    shown = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert shown == digressions._HOMES
