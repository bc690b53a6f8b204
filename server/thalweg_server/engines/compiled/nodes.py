"""How the steps of a lowered pipeline are composed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TypeAlias

from thalweg_server.engines.compiled.steps.base import Step
from thalweg_server.engines.compiled.steps.target_agg import LoweredTargetAgg


@dataclass(frozen=True, slots=True)
class Leaf:
    """One step, by its position among all steps of the plan."""

    position: int
    step: Step

    @property
    def supervised(self) -> bool:
        """Whether it learns after it transforms."""
        return self.step.supervised

    @property
    def shape(self) -> str:
        """What of it decides the kernel's source."""
        return self.step.kind


@dataclass(frozen=True, slots=True)
class Bank:
    """Neighbours in a union that differ in their settings only: a kernel has one loop for all.

    Each gives one feature, and has one array of state and one of constants.
    """

    parts: tuple[Leaf, ...]

    @property
    def supervised(self) -> bool:
        """As each of them."""
        return self.parts[0].supervised

    @property
    def shape(self) -> str:
        """See `Leaf.shape`."""
        return f"{len(self.parts)} {self.parts[0].shape}"


@dataclass(frozen=True, slots=True)
class Chain:
    """A pipeline."""

    parts: tuple[Node, ...]

    @property
    def supervised(self) -> bool:
        """As River's Pipeline tells a union."""
        return any(part.supervised for part in self.parts)

    @property
    def shape(self) -> str:
        """See `Leaf.shape`."""
        return f"({' | '.join(part.shape for part in self.parts)})"


@dataclass(frozen=True, slots=True)
class Union:
    """A union, its parts as declared; their outputs follow in reverse."""

    parts: tuple[Node, ...]
    widths: tuple[int, ...]

    @property
    def supervised(self) -> bool:
        """As River's TransformerUnion tells a union."""
        return any(part.supervised for part in self.parts)

    @property
    def shape(self) -> str:
        """See `Leaf.shape`."""
        return f"({' + '.join(part.shape for part in self.parts)})"


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A step around a model, and the model."""

    wrapper: Leaf
    model: Node

    @property
    def parts(self) -> tuple[Node, ...]:
        """Both, in River's order."""
        return self.wrapper, self.model

    @property
    def supervised(self) -> bool:
        """A model is."""
        return True

    @property
    def shape(self) -> str:
        """See `Leaf.shape`."""
        return f"{self.wrapper.shape}({self.model.shape})"


Node: TypeAlias = Leaf | Bank | Chain | Union | Wrapped


def last_leaf(node: Node) -> Leaf:
    """The step that predicts."""
    while not isinstance(node, Leaf):
        node = node.parts[-1]
    return node


def leaves_of(node: Node) -> list[Leaf]:
    """Its steps in River's order."""
    if isinstance(node, Leaf):
        return [node]
    return [leaf for part in node.parts for leaf in leaves_of(part)]


def learns_early(node: Node) -> bool:
    """Whether it would give, on learning, something else than it gave on predicting."""
    if isinstance(node, Union):
        return any(learns_early(part) for part in node.parts)
    stateful = any(type(leaf.step).learn is not None for leaf in leaves_of(node))
    return stateful and not node.supervised


def union_of(parts: list[Node], widths: list[int]) -> Union:
    """A union, its neighbours of one kind in banks."""
    nodes: list[Node] = []
    sums: list[int] = []
    pairs = zip(parts, widths, strict=True)
    for bankable, run in groupby(pairs, lambda pair: _bankable(pair[0])):
        members = list(run)
        leaves = tuple(part for part, _ in members if isinstance(part, Leaf))
        if bankable and len(members) > 1:
            nodes.append(Bank(leaves))
            sums.append(len(members))
        else:
            nodes += [part for part, _ in members]
            sums += [width for _, width in members]
    return Union(tuple(nodes), tuple(sums))


def _bankable(node: Node) -> bool:
    return isinstance(node, Leaf) and type(node.step) is LoweredTargetAgg
