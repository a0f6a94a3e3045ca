"""The package as a whole: a quick import, and modules in one order without cycles."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import digressions

SOURCES = Path(digressions.__file__).parent
ORDER = [
    "errors",
    "geometry",
    "texts",
    "images",
    "contactsheet",
    "metadata",
    "terms",
    "prompts",
    "condition",
    "combine",
    "denoise",
    "sample",
    "checkpoint",
    "emphasis",
    "models",
    "ensemble",
    "together",
    "paint",
    "upscale",
    "band",
    "store",
    "pyramid",
    "viewer",
    "mosaic",
    "hypermosaic",
    "replay",
    "console",
    "cli",
]


@pytest.mark.parametrize("module", ["digressions", "digressions.cli"])
def test_importing_pulls_in_no_deep_learning(module: str) -> None:
    program = (
        f"import sys, {module}\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'ncnn', 'huggingface_hub'}\n"
        "print(*sorted(heavy & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip() == ""


def imported(module: str) -> set[str]:
    """The package's own modules that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse((SOURCES / f"{module}.py").read_text("utf-8"))):
        if isinstance(node, ast.ImportFrom):
            home = node.module or ""
            if node.level == 0 and home.split(".")[0] != "digressions":
                continue
            home = home.removeprefix("digressions").strip(".")
            names = [home] if home else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [
                alias.name.removeprefix("digressions.")
                for alias in node.names
                if alias.name.startswith("digressions.")
            ]
        else:
            continue
        found |= {name.split(".")[0] for name in names if not name.startswith("__")}
    return found


def test_the_order_names_every_module() -> None:
    assert sorted(ORDER) == sorted(p.stem for p in SOURCES.glob("*.py") if p.stem != "__init__")


@pytest.mark.parametrize("module", ORDER)
def test_a_module_imports_only_earlier_ones(module: str) -> None:
    assert imported(module) <= set(ORDER[: ORDER.index(module)])


@pytest.mark.parametrize("name", digressions.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(digressions, name) is not None
    assert name in dir(digressions)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        digressions.nonsense  # noqa: B018
