"""What `mkdocs build` does besides: LaTeX in pages and docstrings becomes MathML.

Browsers show MathML by themselves, so a page needs no script for its formulas and fetches none.
Docstrings write ``:math:`...` ``, pages write ``$...$``, which GitHub shows as well.
"""

from __future__ import annotations

import re
from typing import Any
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert
from markdown import Extension, Markdown
from markdown.inlinepatterns import InlineProcessor

ROLE = r":math:`([^`]+)`"
DOLLARS = r"(?<![\\$\w])\$(?=\S)([^$`\n]+?)(?<=\S)\$(?![\w$])"  # "$ 5 and $ 6" is money


class Formula(InlineProcessor):
    """A formula in the text."""

    def handleMatch(  # noqa: N802
        self, found: re.Match[str], data: str
    ) -> tuple[Element | str, int, int]:
        mathml = convert(" ".join(found[1].split()))
        return self.md.htmlStash.store(mathml), found.start(0), found.end(0)


class Formulas(Extension):
    """Formulas as MathML."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802
        # Code between backquotes has priority 190: a role comes before it, dollars after.
        md.inlinePatterns.register(Formula(ROLE, md), "math-role", 195)
        md.inlinePatterns.register(Formula(DOLLARS, md), "math-dollars", 185)


def on_config(config: Any) -> Any:
    config.markdown_extensions.append(Formulas())
    return config
