"""Globs over names: `*` and `?`, case-sensitive, nothing else is special."""

from __future__ import annotations

import re


def compile_glob(glob: str) -> re.Pattern[str]:
    """The glob as a pattern for `fullmatch`.

    Each `*` but the last takes as little as it can and never takes it back, which finds a match
    where there is one. With plain `.*` a glob of many stars would take years to fail.
    """
    first, *rest = (_literal(part) for part in re.split(r"\*+", glob))
    if not rest:
        return re.compile(first, re.DOTALL)
    *middle, last = rest
    inner = "".join(f"(?>.*?{part})" for part in middle)
    return re.compile(f"{first}{inner}.*{last}", re.DOTALL)


def _literal(part: str) -> str:
    return "".join("." if c == "?" else re.escape(c) for c in part)


def literal_characters(glob: str) -> int:
    """How specific a glob is: its characters but `*` and `?`."""
    return len(glob) - glob.count("*") - glob.count("?")
