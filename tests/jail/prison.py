"""The tests' side of a warden: a process of its own, as this user or as nobody."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.jail.attempts import C_MODULE, PURE_MODULE

ROOT = Path(__file__).parents[2]
NOBODY = 65534


class Prison:
    """A warden that forks a child per attempt.

    Args:
        user: number of the user that it becomes; None for this one.
    """

    def __init__(self, user: int | None = None) -> None:
        # What is installed or cloned may be where only its owner may read: not so these modules.
        self._library = tempfile.TemporaryDirectory()
        _fill(Path(self._library.name))
        path = os.pathsep.join([self._library.name, str(ROOT), *sys.path])
        single = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": path}
        self.is_root = user is None and os.geteuid() == 0
        becomes = [] if user is None else [str(user)]
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "tests.jail.warden", *becomes],
            cwd=ROOT,
            env=os.environ | single,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def attempt(self, name: str, way: str = "jailed") -> dict[str, Any]:
        """Has a child try: its `value`, or `error` and `text`; `entered` and `status` as well."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(json.dumps({"attempt": name, "way": way}) + "\n")
        stdin.flush()
        report: dict[str, Any] = json.loads(stdout.readline())
        return report

    def close(self) -> None:
        """Ends the warden."""
        self._process.communicate()
        self._library.cleanup()


def _fill(library: Path) -> None:
    """Puts one pure module and one of C where everyone may read them."""
    library.chmod(0o755)
    (library / f"{PURE_MODULE}.py").touch()
    spec = importlib.util.find_spec(C_MODULE)
    assert spec and spec.origin
    shutil.copy(spec.origin, library)
