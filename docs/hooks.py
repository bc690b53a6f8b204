"""MkDocs' hook: puts what is generated from the code into the pages that ask for it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

# MkDocs loads this file by its path, with its folder first on sys.path.
from generate import commands, contract, errors, metrics

GENERATORS: dict[str, Callable[[], str]] = {
    "commands": commands.text,
    "contract": contract.text,
    "errors": errors.text,
    "metrics": metrics.text,
}
MARK = re.compile(r"^<!-- generate: (\w+) -->$", re.MULTILINE)


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Return a page's text with its marks replaced; a KeyError names a mark nobody knows."""
    return MARK.sub(lambda mark: GENERATORS[mark[1]](), markdown)
