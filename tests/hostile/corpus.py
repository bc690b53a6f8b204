"""The corpus of hostile payloads: every attack, by technique.

Of our own making, for our own server: a canary writes into a folder that the test gives, changes a
name, or burns a bounded amount of CPU or memory, and that is all.
"""

from __future__ import annotations

from tests.hostile import (
    bombs,
    calls,
    constructors,
    dotted,
    functions,
    gadgets,
    hyper,
    later,
    numeric,
    opcodes,
    state,
)
from tests.hostile.attack import Attack

CORPUS: tuple[Attack, ...] = (
    *calls.ATTACKS,
    *opcodes.ATTACKS,
    *state.ATTACKS,
    *dotted.ATTACKS,
    *constructors.ATTACKS,
    *functions.ATTACKS,
    *gadgets.ATTACKS,
    *later.ATTACKS,
    *bombs.ATTACKS,
    *numeric.ATTACKS,
    *hyper.ATTACKS,
)
"""Every attack."""
