"""Arrays as few bytes: whole numbers in the smallest type that holds them, steps where smaller."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Spec: TypeAlias = Any
"""How an array was packed, as JSON: all values where they are few, one number where all are equal,
a type where its bytes come next, or {"first": a value, "steps": the spec of the differences}."""

FEW = 8
"""Values that are sooner written than looked at: calls for one row are many."""

_WHOLE = tuple(np.dtype(code) for code in ("<i1", "<i2", "<i4", "<i8"))
_FLOAT = "<f8"


@dataclass(slots=True)
class Packer:
    """Collects the bytes of arrays; each method returns the spec to unpack by."""

    chunks: list[bytes] = field(default_factory=list)

    def whole(self, values: NDArray[Any]) -> Spec:
        """Packs whole numbers that have no order."""
        if len(values) <= FEW:
            return values.tolist()
        low, high = int(values.min()), int(values.max())
        return low if low == high else self._put(values, _smallest(low, high))

    def ordered(self, values: NDArray[np.int32]) -> Spec:
        """Packs whole numbers that may be ascending or come in runs, such as days."""
        if len(values) <= FEW:
            return values.tolist()
        low, high = int(values.min()), int(values.max())
        if low == high:
            return low
        steps = np.diff(values.astype(np.int64))
        if _smallest(int(steps.min()), int(steps.max())).itemsize < _smallest(low, high).itemsize:
            return {"first": int(values[0]), "steps": self.whole(steps)}
        return self._put(values, _smallest(low, high))

    def floats(self, values: NDArray[np.float64]) -> Spec:
        """Packs floats, bit for bit; only whether a number is NaN, not which."""
        if len(values) <= FEW:
            return values.tolist()
        with np.errstate(invalid="ignore"):  # of NaN: it is found to be no whole number below
            whole = values.astype(np.int32)
        back = whole.astype(np.float64)
        # By bits: -0.0 is no whole number.
        if np.array_equal(back.view(np.int64), values.view(np.int64)):
            return self.whole(whole)
        # All first bytes, all second bytes …: the last ones are alike, which packs well.
        chunk = np.ascontiguousarray(values, _FLOAT).view(np.uint8).reshape(-1, 8)
        self.chunks.append(chunk.T.tobytes())
        return _FLOAT

    def _put(self, values: NDArray[Any], dtype: np.dtype[Any]) -> str:
        self.chunks.append(values.astype(dtype).tobytes())
        return dtype.str if dtype.itemsize > 1 else "<i1"


@dataclass(slots=True)
class Unpacker:
    """Takes arrays off bytes, in the order they were packed."""

    data: bytes
    offset: int

    def whole(self, spec: Spec, count: int) -> NDArray[np.int32]:
        """Whole numbers as they were packed by `whole` or `ordered`."""
        return self._whole(spec, count).astype(np.int32)

    def floats(self, spec: Spec, count: int) -> NDArray[np.float64]:
        """Floats, bit for bit."""
        if isinstance(spec, list):
            return np.array(spec, np.float64)
        if spec != _FLOAT:
            return self._whole(spec, count).astype(np.float64)
        chunk = self._take(np.dtype(np.uint8), 8 * count).reshape(8, count)
        return chunk.T.copy().view(_FLOAT).reshape(count).astype(np.float64, copy=False)

    def _whole(self, spec: Spec, count: int) -> NDArray[Any]:
        if isinstance(spec, int):
            return np.full(count, spec, np.int64)
        if isinstance(spec, str):
            return self._take(np.dtype(spec), count)
        if isinstance(spec, list):
            return np.array(spec, np.int64)
        values = np.empty(count, np.int64)
        values[0] = spec["first"]
        values[1:] = self._whole(spec["steps"], count - 1)
        return np.cumsum(values)

    def _take(self, dtype: np.dtype[Any], count: int) -> NDArray[Any]:
        values = np.frombuffer(self.data, dtype, count, self.offset)
        self.offset += values.nbytes
        return values


def _smallest(low: int, high: int) -> np.dtype[Any]:
    for dtype in _WHOLE:
        bounds = np.iinfo(dtype)
        if bounds.min <= low and high <= bounds.max:
            return dtype
    raise AssertionError("beyond 64 bits")  # no array holds such a number
