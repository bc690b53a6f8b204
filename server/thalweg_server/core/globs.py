"""Globs over names: `*` and `?`, case-sensitive, nothing else is special."""

from __future__ import annotations

import re


def compile_glob(glob: str) -> re.Pattern[str]:
    """The glob as a pattern for `fullmatch`."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(c) or re.escape(c) for c in glob), re.DOTALL)


def literal_characters(glob: str) -> int:
    """How specific a glob is: its characters but `*` and `?`."""
    return len(glob) - glob.count("*") - glob.count("?")
