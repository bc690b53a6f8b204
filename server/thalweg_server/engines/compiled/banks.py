"""The lines of a kernel that go over a bank of steps in a loop."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg_server.engines.compiled.nodes import Bank, Node


def banks_of(node: Node) -> list[Bank]:
    """All banks in a node."""
    if isinstance(node, Bank):
        return [node]
    parts: Sequence[Node] = getattr(node, "parts", ())
    return [bank for part in parts for bank in banks_of(part)]


def name_of(bank: Bank) -> str:
    """What its constants are called, as a tuple that a loop can index."""
    return f"bank{bank.parts[0].position}"


def constants_of(bank: Bank) -> str:
    """The line that makes that tuple."""
    names = [f"k{leaf.position}_{each}" for leaf in bank.parts for each in leaf.step.constants]
    return f"{name_of(bank)} = ({', '.join(names)})"


def loop(bank: Bank, array: int, role: str, first: str, form: str = "{}") -> list[str]:
    """Calls a function of every step; its arguments may say `b` for the step's place.

    Args:
        array: number of the first step's array of state among all of the kernel's.
        first: the arguments before the state.
        form: what to do with the call.
    """
    function = getattr(type(bank.parts[0].step), role).__name__
    call = f"{function}({first}, state, {name_of(bank)}[b])"
    return [
        f"for b in range({len(bank.parts)}):",
        f"    begin = starts[{array} + b]",
        f"    state = floats[row, begin:begin + lengths[{array} + b]]",
        *(f"    {line}" for line in form.format(call).splitlines()),
    ]


def output(bank: Bank, out: str) -> str:
    """Where a step's one feature goes: those of a union follow in reverse."""
    count = len(bank.parts)
    return f"{out}[{count - 1} - b:{count} - b]"
