"""The pickle machine: one pass over the bytes, which builds the object as it goes.

It is the only reader of a payload, so that no second one can read the same bytes otherwise. What
an opcode does is in `scalars`, `containers` and `objects`; here are the registers they share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from thalweg_server.uploads.limits import MEMORY_BASE, MEMORY_PER_BYTE
from thalweg_server.uploads.refusals import Forbidden, Malformed

StateRules = Mapping[type, Callable[[Any, Any], None]]
"""What BUILD does, by the exact type of what it is done to."""


class Machine:
    """The registers of one load.

    Args:
        payload: a pickle.
        lookup: module and qualified name to what may stand for it; raises Forbidden.
        rules: types whose instances take a state.
    """

    __slots__ = (
        "budget",
        "data",
        "end",
        "lookup",
        "marks",
        "memo",
        "numeric_keys",
        "position",
        "rules",
        "shares",
        "stack",
    )

    def __init__(
        self, payload: bytes, lookup: Callable[[str, str], Any], rules: StateRules
    ) -> None:
        self.data = payload
        self.end = len(payload)
        self.lookup = lookup
        self.rules = rules
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: list[Any] = []
        self.budget = MEMORY_BASE + MEMORY_PER_BYTE * len(payload)
        self.shares = 0
        self.numeric_keys = 0
        self.position = 0

    def run(self, handlers: tuple[Callable[[Machine, int], int], ...]) -> Any:
        """The object that the payload describes. Each handler answers where the next opcode is.

        Raises Forbidden, Malformed, and whatever else bytes make Python raise; `position` is then
        that of the opcode.
        """
        data, position = self.data, 0
        try:
            while True:
                after = handlers[data[position]](self, position + 1)
                if after < 0:
                    break
                position = after
        except BaseException:
            self.position = position
            raise
        self.position = position
        if position + 1 != self.end:
            raise Malformed("there are bytes behind the end of the pickle")
        if self.marks or len(self.stack) != 1:
            raise Malformed("the pickle ends in the middle of an object")
        return self.stack.pop()

    def charge(self, cost: int) -> None:
        """Takes memory from the budget; raises Forbidden when it is used up."""
        self.budget -= cost
        if self.budget < 0:
            raise Forbidden("more objects than a payload of this size needs")

    def pop_mark(self) -> list[Any]:
        """What was pushed since the last mark; the stack is then as it was before it."""
        items = self.stack
        self.stack = self.marks.pop()
        return items
