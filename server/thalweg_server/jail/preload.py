"""Everything that estimators may import or open late, imported and opened beforehand.

In the jail no module can be found any more. What Python, NumPy, SciPy and River import inside
functions has to be there before.
"""

from __future__ import annotations

import codecs
import contextlib
import importlib
import pkgutil
import random
import time
from collections.abc import Iterable, Iterator
from datetime import datetime

STANDARD = (
    *("_strptime", "array", "ast", "base64", "bisect", "calendar", "cmath", "collections.abc"),
    *("colorsys", "contextlib", "contextvars", "copy", "copyreg", "csv", "dataclasses"),
    *("datetime", "decimal", "difflib", "dis", "enum", "fractions", "functools", "gc"),
    *("graphlib", "hashlib", "heapq", "hmac", "html", "inspect", "io", "ipaddress"),
    *("itertools", "json", "linecache", "locale", "logging", "math", "numbers", "operator"),
    *("pickle", "pickletools", "pprint", "queue", "random", "re", "reprlib", "secrets"),
    *("statistics", "string", "stringprep", "struct", "textwrap", "threading", "timeit"),
    *("tokenize", "traceback", "types", "typing", "unicodedata", "urllib.parse", "uuid"),
    *("warnings", "weakref", "zlib", "zoneinfo"),
)
"""Modules of the standard library that compute."""

CODECS = (
    *("ascii", "latin-1", "iso8859-15", "cp1252", "cp437", "idna", "punycode"),
    *("utf-7", "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"),
    *("utf-32", "utf-32-le", "utf-32-be", "unicode_escape", "raw_unicode_escape"),
    *("base64", "hex", "zlib", "rot13"),
)
"""Encodings; Python imports each when it is first named."""

PACKAGES = ("river", "numpy", "scipy.special", "scipy.stats", "narwhals.stable.v2", "dill")
"""Imported with all they consist of, but for the parts below. One that is not installed is
passed over: estimators that need it cannot be loaded anyway."""

PARTS_LEFT_OUT = frozenset(
    {
        *("tests", "testing", "conftest", "__main__", "_pyinstaller", "f2py", "distutils"),
        *("checks", "compat", "datasets", "envs", "typing", "_examples", "session"),
        *("_mptestutils", "_precompute", "_multiarray_tests", "_test_internal"),  # of SciPy, NumPy
        *("__diff", "_objects"),  # of dill: they walk over all that is loaded
    }
)
"""Names of subpackages and modules that no estimator uses: tests, data sets, builders."""


def preload() -> None:
    """Imports and opens what estimators may need later; call it before `enter`.

    Starts no thread where OPENBLAS_NUM_THREADS is 1. Raises nothing for what is not installed.
    """
    for name in (*STANDARD, *_parts()):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for name in CODECS:
        codecs.lookup(name)
    datetime.strptime("2016-05-22", "%Y-%m-%d").strftime("%x")
    time.localtime()  # libc reads the time zone once
    random.seed()


def _parts() -> Iterator[str]:
    for package in PACKAGES:
        yield package
        with contextlib.suppress(ImportError):
            path = importlib.import_module(package).__path__
            yield from _below(path, package)


def _below(path: Iterable[str], package: str) -> Iterator[str]:
    for module in pkgutil.iter_modules(path):
        name = f"{package}.{module.name}"
        if module.name in PARTS_LEFT_OUT or module.name.startswith("test_"):
            continue
        yield name
        if module.ispkg:
            with contextlib.suppress(ImportError):
                yield from _below(importlib.import_module(name).__path__, name)
