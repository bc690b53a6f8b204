"""What uploads may hold: the one word that callers, configuration and loader share."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Policy(StrEnum):
    """What an upload may hold. The policy is the server's; nothing in an upload widens it."""

    SAFE = "safe"
    """River objects, and the functions that Thalweg ships, by name. No code of the caller's."""

    CODE = "code"
    """Also functions by value, as dill writes them. They run: only in a jail."""

    TRUSTED = "trusted"
    """Whatever dill loads. Loading runs any code that the payload holds."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an upload came from.

    Args:
        policy: that it was accepted under; it is loaded by that again after a restart.
        uploader: name of the caller: code of two callers never shares a process.
    """

    policy: Policy = Policy.SAFE
    uploader: str = ""

    @property
    def domain(self) -> str:
        """Names whose process it may share: what holds no code shares one with all such."""
        return "" if self.policy is Policy.SAFE else f"{self.policy.value}:{self.uploader}"


SAFE = Origin()
"""Of what holds no code."""

TRUSTED = Origin(Policy.TRUSTED)
"""Of uploads from before there were policies: dill loaded them."""
