"""The sections of the docs that a script writes, between marks."""

from __future__ import annotations

import re
from pathlib import Path

MARKED = re.compile(r"(<!-- generated -->\n).*?(<!-- /generated -->)", re.DOTALL)


def marked(name: str) -> re.Pattern[str]:
    """What finds the section of a name: between ``<!-- name -->`` and ``<!-- /name -->``."""
    return re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)


def update(page: Path, text: str, name: str = "generated") -> None:
    """Puts a text between the marks of a page; the rest of the page stays.

    Raises:
        SystemExit: The page has no such pair of marks, or several.
    """
    old = page.read_text("utf-8")
    new, found = marked(name).subn(lambda match: match[1] + text + match[2], old)
    if found != 1:
        raise SystemExit(f"{page} needs one pair of <!-- {name} --> and <!-- /{name} -->")
    page.write_text(new, "utf-8")
