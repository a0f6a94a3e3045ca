"""The generated sections of pages of the docs."""

from __future__ import annotations

import re
from pathlib import Path


def marked(name: str = "") -> re.Pattern[str]:
    """What finds a section with its marks."""
    which = f"generated: {name}" if name else "generated"
    return re.compile(f"(<!-- {which} -->\n).*?(<!-- /{which} -->)", re.DOTALL)


def update(page: Path, text: str, name: str = "") -> None:
    """Replaces what is between the marks of a page.

    The marks are ``<!-- generated -->`` and ``<!-- /generated -->``; with a name, where a page has
    several sections, ``<!-- generated: NAME -->`` and ``<!-- /generated: NAME -->``.

    Raises:
        SystemExit: The page has no such marks.
    """
    which = f"generated: {name}" if name else "generated"
    new, count = marked(name).subn(
        lambda found: found[1] + text + found[2], page.read_text("utf-8")
    )
    if count != 1:
        raise SystemExit(f"{page} needs one pair of <!-- {which} --> and <!-- /{which} -->")
    page.write_text(new, "utf-8")
