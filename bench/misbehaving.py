"""An estimator that never answers. A server needs `--worker-import bench.misbehaving` for it."""

from __future__ import annotations

from typing import Any

from river import base


class Loops(base.Regressor):
    """Asked or taught, it goes round and round."""

    def predict_one(self, x: Any) -> float:
        """Never returns."""
        while True:
            pass

    def learn_one(self, x: Any, y: Any) -> None:
        """Never returns."""
        while True:
            pass
