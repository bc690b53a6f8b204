"""Copying estimators: deep copies, learned state included, cheap and as fast as their originals.

`copy.deepcopy` and plain unpickling fill an object through its `__dict__`, which in CPython costs
it the compact attributes that `__init__` gives. So a copy is pickled once and unpickled as often
as clones are wanted, and plain objects get their attributes one by one, as from `__init__`.
"""

from __future__ import annotations

import copy
import copyreg
import io
import pickle
import types
from typing import Any

_SHARED = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)
"""What a deep copy shares with its original: classes, functions and modules."""


class Mould:
    """Makes copies of one estimator, as it was when the mould was made.

    Raises whatever copying the estimator raises.
    """

    def __init__(self, estimator: Any) -> None:
        self._shared: list[Any] = []
        self._payload = b""
        self._original: Any = None
        try:
            buffer = io.BytesIO()
            _Pickler(buffer, self._shared).dump(estimator)
            self._payload = buffer.getvalue()
            self.cast()
        except BaseException:  # pickle cannot hold all that deepcopy can copy
            self._original = copy.deepcopy(estimator)

    def cast(self) -> Any:
        """A new copy."""
        if self._original is not None:
            return copy.deepcopy(self._original)
        return _Unpickler(self._payload, self._shared).load()


class _Pickler(pickle.Pickler):
    def __init__(self, buffer: io.BytesIO, shared: list[Any]) -> None:
        super().__init__(buffer, pickle.HIGHEST_PROTOCOL)
        self._shared = shared
        self._places: dict[int, int] = {}

    def persistent_id(self, obj: Any) -> int | None:
        """See pickle.Pickler: the place of what is shared and not copied."""
        if not isinstance(obj, _SHARED):
            return None
        place = self._places.setdefault(id(obj), len(self._shared))
        if place == len(self._shared):
            self._shared.append(obj)
        return place

    def reducer_override(self, obj: Any) -> Any:
        """See pickle.Pickler: how plain objects are taken apart."""
        if hasattr(type(obj), "__deepcopy__"):
            raise pickle.PicklingError("its class says itself how it is copied")
        if not _is_plain(type(obj)):
            return NotImplemented
        make = copyreg.__newobj__  # type: ignore[attr-defined]
        return make, (type(obj),), vars(obj), None, None, _set_attributes


class _Unpickler(pickle.Unpickler):
    def __init__(self, payload: bytes, shared: list[Any]) -> None:
        super().__init__(io.BytesIO(payload))
        self._shared = shared

    def persistent_load(self, pid: int) -> Any:
        """See pickle.Unpickler."""
        return self._shared[pid]


class _Plain:
    pass


_OWN_WAYS = ("__new__", "__reduce_ex__", "__reduce__", "__getstate__")
"""Methods by which a class may say how its objects are made, or taken apart."""


def _is_plain(kind: type) -> bool:
    """Whether objects of a class are their `__dict__` and nothing else."""
    return (
        kind.__dictoffset__ != 0
        and kind.__basicsize__ <= _Plain.__basicsize__
        and kind.__itemsize__ == 0
        and all(getattr(kind, way, None) is getattr(object, way, None) for way in _OWN_WAYS)
        and not hasattr(kind, "__setstate__")
    )


def _set_attributes(obj: Any, state: dict[str, Any]) -> None:
    for name, value in state.items():
        object.__setattr__(obj, name, value)
