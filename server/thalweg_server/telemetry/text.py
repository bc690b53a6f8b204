"""Prometheus' text format, where lines are rendered by the ten thousand."""

from __future__ import annotations

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


def labels(**values: str) -> str:
    """The labels of a series.

    >>> labels(model='a"b', candidate="knn")
    '{model="a\\\\"b",candidate="knn"}'
    """
    pairs = ",".join(f'{name}="{value.translate(_ESCAPES)}"' for name, value in values.items())
    return f"{{{pairs}}}"


def header(name: str, kind: str, text: str) -> bytes:
    """The lines that open a metric family; `text` is plain, without a backslash or a newline."""
    return f"# HELP {name} {text}\n# TYPE {name} {kind}\n".encode()
