"""What a state is read and written by."""

from __future__ import annotations

import platform
from importlib.metadata import version

VERSIONS = {
    "python": ".".join(platform.python_version_tuple()[:2]),
    **{name: version(name) for name in ("thalweg", "river", "numpy", "numba", "dill")},
}
"""Another one of these might read another state out of the same bytes."""
