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
    "jsontext",
    "stopwatch",
    "device",
    "fingerprint",
    "worlds.turns",
    "output",
    "geometry",
    "worlds.camera",
    "prints.lengths",
    "prints.papersizes",
    "pictures.texts",
    "pictures.profiles",
    "pictures.opening",
    "pictures.seam",
    "pictures.colour",
    "pictures.images",
    "pictures.original",
    "pictures.palette",
    "pictures.film",
    "ensembles.regions",
    "pictures.contactsheet",
    "pictures.metadata",
    "terms",
    "prompts",
    "ensembles.several",
    "condition",
    "combine",
    "denoise",
    "sample",
    "vocabulary",
    "network_config",
    "scheduler",
    "checkpoint",
    "autoencoder",
    "openvino_networks",
    "emphasis",
    "textencoder",
    "models",
    "loading",
    "timing",
    "ensembles.ensemble",
    "ensembles.together",
    "job",
    "batching",
    "paint",
    "engines.engine",
    "engines.worker",
    "engines.cluster",
    "engines.line",
    "engines.ray_engine",
    "engines.source",
    "engines.painter",
    "tiles",
    "ensembles.comparison",
    "ensembles.disagreement",
    "ensembles.balance",
    "upscalefile",
    "upscale",
    "prints.inks",
    "prints.paper",
    "prints.pdf",
    "prints.proof",
    "prints.printfile",
    "prints.order",
    "mosaics.band",
    "mosaics.store",
    "worlds.cache",
    "mosaics.pyramid",
    "mosaics.viewer",
    "mosaics.manifest",
    "mosaics.preview",
    "mosaics.sharing",
    "mosaics.mosaic",
    "mosaics.factory",
    "mosaics.far",
    "mosaics.fidelity",
    "mosaics.primary",
    "worlds.canvas",
    "worlds.plant",
    "mosaics.work",
    "mosaics.hypermosaic",
    "worlds.manifest",
    "worlds.world",
    "worlds.bank",
    "worlds.genesis",
    "worlds.zoom",
    "worlds.studio",
    "worlds.page",
    "worlds.serve",
    "worlds.site",
    "worlds.flight",
    "replay",
    "frames.aspect",
    "frames.medians",
    "frames.sampling",
    "frames.lines",
    "frames.corners",
    "frames.sharp",
    "frames.rings",
    "frames.borders",
    "frames.quads",
    "frames.choice",
    "frames.frame",
    "frames.hang",
    "frames.scene",
    "frames.trials",
    "frames.experiment",
    "frames.pulls",
    "frames.findings",
    "frames.explain",
    "frames.pullchart",
    "frames.sketch",
    "frames.refine",
    "frames.filling",
    "frames.again",
    "console",
    "commands.options",
    "commands.groups",
    "commands.chosen",
    "commands.far",
    "commands.papers",
    "commands.side_by_side",
    "commands.ensemble",
    "commands.making",
    "commands.mosaic",
    "commands.paint",
    "commands.zoom",
    "commands.print",
    "commands.hanging",
    "commands.filling",
    "commands.explain",
    "commands.frame",
    "commands.serve",
    "commands.screensaver",
    "commands.export_site",
    "commands.replay",
    "commands.upscale",
    "cli",
    "__main__",
]


HELP = "from digressions.cli import app; app({}, standalone_mode=False)"


@pytest.mark.parametrize(
    "statement",
    [
        "import digressions",
        "import digressions.cli",
        HELP.format(["--help"]),
        HELP.format(["mosaic", "--help"]),
        HELP.format(["print", "--help"]),
        HELP.format(["upscale", "--help"]),
        HELP.format(["frame", "--help"]),
        HELP.format(["serve", "--help"]),
    ],
)
def test_importing_and_help_pull_in_no_deep_learning(statement: str) -> None:
    program = (
        f"import sys\n{statement}\n"
        "heavy = {'torch', 'diffusers', 'transformers', 'ncnn', 'huggingface_hub', 'cv2'}\n"
        "heavy |= {'starlette', 'uvicorn', 'ray'}\n"
        "print(*sorted(heavy & sys.modules.keys()))"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines()[-1].strip() == ""


def imported(module: str) -> set[str]:
    """The package's own modules that a module imports, anywhere in it."""
    name = f"digressions.{module}"
    source = (SOURCES / f"{module.replace('.', '/')}.py").read_text("utf-8")
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            home = ".".join(name.split(".")[: -node.level]) if node.level else ""
            home = ".".join(part for part in (home, node.module) if part)
            # What is imported may be a module itself, or a name in one.
            found |= {home, *(f"{home}.{alias.name}" for alias in node.names)}
    return {name.removeprefix("digressions.") for name in found} & set(ORDER)


def test_the_order_names_every_module() -> None:
    paths = [path.relative_to(SOURCES) for path in SOURCES.rglob("*.py")]
    modules = [".".join(path.with_suffix("").parts) for path in paths if path.stem != "__init__"]
    assert sorted(ORDER) == sorted(modules)


@pytest.mark.parametrize("module", ORDER)
def test_a_module_imports_only_earlier_ones(module: str) -> None:
    assert imported(module) <= set(ORDER[: ORDER.index(module)])


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
