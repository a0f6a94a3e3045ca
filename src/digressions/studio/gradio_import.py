"""Importing Gradio in three fifths of the time.

Whenever Gradio's classes are defined, it parses their source and writes stubs for editors beside
them (``gradio.component_meta.create_or_modify_pyi``): a third of the import, and files in the
user's packages. `benchmarks/studio_startup.py` measures it.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

_META, _WRITES = "gradio.component_meta", "create_or_modify_pyi"


@contextmanager
def without_stubs() -> Iterator[None]:
    """Has Gradio write no stubs, where it is imported for the first time in the block."""
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Finder(MetaPathFinder):
    """Finds the one module as usual, and takes out the function that writes."""

    def __init__(self) -> None:
        self._finding = False

    def find_spec(
        self, fullname: str, path: Any = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _META or self._finding:
            return None
        self._finding = True
        spec = importlib.util.find_spec(fullname)
        self._finding = False
        if spec is None or spec.loader is None:
            return spec
        usual = spec.loader.exec_module

        def run(module: ModuleType) -> None:
            usual(module)
            if hasattr(module, _WRITES):
                setattr(module, _WRITES, lambda *_: None)

        spec.loader.exec_module = run  # type: ignore[method-assign]
        return spec
