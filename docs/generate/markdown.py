"""Text of the code as Markdown: what a comment or a help text says, and nothing it did not mean."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_CODE = re.compile(r"(`[^`]*`)")


def plain(text: str) -> str:
    """Return a text whose characters mean themselves, but for what is between backticks."""
    parts = _CODE.split(text)
    escaped = (re.sub(r"([*<|\[\]])", r"\\\1", part) for part in parts[::2])
    merged = [*parts]
    merged[::2] = escaped
    return "".join(merged)


def cell(text: str) -> str:
    """Return a text for a table's cell: on one line."""
    return " ".join(text.split())


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table with a blank line behind it."""
    lines = [headings, ["---"] * len(headings), *rows]
    return "".join(f"| {' | '.join(cell(each) for each in line)} |\n" for line in lines) + "\n"


def paragraphs(lines: str) -> list[str]:
    """Return the paragraphs of a comment or a docstring, each on one line."""
    return [" ".join(each.split()) for each in re.split(r"\n\s*\n", lines.strip()) if each.strip()]
