"""The lines of a kernel that ask steps, before anything changes, whether they can learn an item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from thalweg_server.engines.compiled.layout import STUCK
from thalweg_server.engines.compiled.nodes import Bank, Chain, Leaf, Node, leaves_of
from thalweg_server.engines.compiled.steps.target_agg import LoweredTargetAgg
from thalweg_server.engines.compiled.template import UNSURE

Ask: TypeAlias = Callable[[Leaf | Bank, str, Sequence[str]], list[str]]
"""Lines that ask one step, given the name of its input and what to do where it says no."""

Transform: TypeAlias = Callable[[Node, str], tuple[list[str], str]]


def guards(node: Node, x: str, raw: str, ask: Ask, transform: Transform) -> list[str]:
    """Lines for all steps of a node.

    Args:
        x: the node's input.
        raw: the raw features.
        transform: lines that make a node's output, and its name.
    """
    if isinstance(node, Leaf | Bank):
        step = leaves_of(node)[0].step
        if type(step).guard is None:
            return []
        unsure = [f"    status[i] = {UNSURE}", f"    ints[row, {STUCK}] = 1"]
        return ask(node, x if isinstance(step, LoweredTargetAgg) else raw, unsure)
    lines: list[str] = []
    for number, part in enumerate(node.parts):
        lines += guards(part, x, raw, ask, transform)
        if isinstance(node, Chain) and _group(node.parts[number + 1 :]):
            more, x = transform(part, x)
            lines += ["if learn:", *deeper(more)]
    return lines


def deeper(lines: Sequence[str]) -> list[str]:
    """Lines within a statement."""
    return [f"    {line}" for line in lines]


def _group(nodes: Sequence[Node]) -> bool:
    """Whether some step wants to know its group, and so what will reach it."""
    steps = [leaf.step for node in nodes for leaf in leaves_of(node)]
    return any(isinstance(step, LoweredTargetAgg) and step.by for step in steps)
