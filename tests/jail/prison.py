"""The tests' side of a warden: a process of its own, as this user or as nobody."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
NOBODY = 65534


class Prison:
    """A warden that forks a child per attempt.

    Args:
        user: number of the user that it becomes; None for this one.
    """

    def __init__(self, user: int | None = None) -> None:
        path = os.pathsep.join([str(ROOT), *sys.path])
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
