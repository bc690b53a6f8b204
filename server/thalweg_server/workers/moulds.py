"""What candidates are made from, within a worker: loaded once, copied as often as it is wanted."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Protocol

from thalweg_server.core.policy import Policy
from thalweg_server.engines.copying import Mould
from thalweg_server.uploads import load

CHECKPOINT = "checkpoint"
"""Stands for the policy of a base that a worker wrote itself."""

MOULDS_MAX = 8
"""Bases that are kept for the next candidate. The server counts along, and sends none twice."""


class Copies(Protocol):
    """Makes estimators that are alike."""

    def cast(self) -> Any:
        """Another one."""


@dataclass(frozen=True, slots=True)
class Reloads:
    """Makes copies of what cannot be copied, by loading it anew."""

    payload: bytes
    policy: Policy

    def cast(self) -> Any:
        """See `Copies`."""
        return load(self.payload, self.policy)


class Moulds:
    """Bases by number."""

    def __init__(self) -> None:
        self._moulds: OrderedDict[int, Copies] = OrderedDict()

    def cast(self, base: int, payload: bytes | None, policy: str) -> Any:
        """An estimator as its base says; raises whatever loading raises.

        Args:
            base: the base's number.
            payload: its bytes; None where they were given before.
            policy: by which they are loaded.
        """
        if payload is not None:
            if policy == CHECKPOINT:  # nobody else is made from it
                return pickle.loads(payload)
            self._moulds[base] = _copies(payload, Policy(policy))
            if len(self._moulds) > MOULDS_MAX:
                self._moulds.popitem(last=False)
        return self._moulds[base].cast()

    def forget(self, base: int) -> None:
        """Lets go of a base that came to nothing."""
        self._moulds.pop(base, None)


def _copies(payload: bytes, policy: Policy) -> Copies:
    estimator = load(payload, policy)
    try:
        return Mould(estimator)
    except BaseException:
        return Reloads(payload, policy)
