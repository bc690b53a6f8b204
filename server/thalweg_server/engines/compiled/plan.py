"""What a River estimator is made of, step by step, where every step can be lowered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from river import compose

from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.steps import STEPS
from thalweg_server.engines.compiled.steps.base import FEATURES_MAX, Inputs, Step

DEPTH_MAX, STEPS_MAX = 8, 64
"""Bounds of what is compiled: a kernel's compile time grows with its steps."""


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


Node: TypeAlias = Leaf | Chain | Union


@dataclass(frozen=True, slots=True)
class Plan:
    """A lowered pipeline's structure, the same for all candidates of a fleet.

    Args:
        root: the pipeline.
        leaves: its steps in River's order.
        names: names of River's steps, which a lifted estimator keeps.
        reads: features that it reads, or None where it takes whatever there is.
        taken: all the features there have to be, if `reads` is None,
        texts: and those of them that are text, which no step uses.
    """

    root: Chain
    leaves: tuple[Leaf, ...]
    names: tuple[str, ...]
    reads: tuple[str, ...] | None
    taken: tuple[str, ...] = ()
    texts: frozenset[str] = frozenset()

    @property
    def inputs(self) -> tuple[str, ...]:
        """The features that a kernel is given, in order."""
        return self.taken if self.reads is None else self.reads

    @property
    def narrow(self) -> bool:
        """Whether some step keeps numbers in four bytes each."""
        return any(leaf.step.narrow for leaf in self.leaves)

    @property
    def dated(self) -> bool:
        """Whether it reads the day."""
        return any(leaf.step.dated for leaf in self.leaves)

    @property
    def date_first(self) -> bool:
        """Whether the day is read before anything is learned: a wrong one changes nothing."""
        first = self.root.parts[0]
        return isinstance(first, Leaf) and first.step.dated


def make_plan(estimator: Any, inputs: Inputs) -> Plan:
    """The plan of an estimator.

    Raises:
        Unlowerable: with the reason.
        SchemaNeeded: it depends on the features' names, and `inputs` does not tell.
    """
    planner = _Planner(inputs)
    root, _ = planner.visit(estimator, inputs, 0)
    if not isinstance(root, Chain):
        root = Chain((root,))
    if last_leaf(root).step.predict is None:
        raise Unlowerable("the last step is not a model that can be lowered")
    closed = not planner.open
    plan = Plan(
        root=root,
        leaves=tuple(planner.leaves),
        names=tuple(name for name, _ in components(estimator)),
        reads=tuple(sorted(planner.reads)) if closed else None,
        taken=() if closed else (inputs.names or ()),
        texts=frozenset() if closed else inputs.text,
    )
    for leaf in planner.raw:
        leaf.step.bind(plan.inputs)
    return plan


def last_leaf(node: Node) -> Leaf:
    """The step that predicts."""
    while not isinstance(node, Leaf):
        node = node.parts[-1]
    return node


def components(estimator: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The steps that are no composition, each with its path of names, in order."""
    if type(estimator) is compose.Pipeline:
        parts: Mapping[str, Any] = estimator.steps
    elif type(estimator) is compose.TransformerUnion:
        parts = estimator.transformers
    else:
        yield name, estimator
        return
    for key, part in parts.items():
        yield from components(part, f"{name}/{key}")


@dataclass(slots=True)
class _Planner:
    inputs: Inputs
    leaves: list[Leaf] = field(default_factory=list)
    raw: list[Leaf] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    unions: int = 0
    open: bool = False
    seen: set[int] = field(default_factory=set)

    def visit(self, estimator: Any, inputs: Inputs, depth: int) -> tuple[Node, Inputs]:
        if depth > DEPTH_MAX or len(self.leaves) > STEPS_MAX:
            raise Unlowerable("the pipeline is too deep or too long")
        if id(estimator) in self.seen:
            raise Unlowerable("the same object is two steps")
        self.seen.add(id(estimator))
        if type(estimator) is compose.Pipeline:
            return self._chain(list(estimator.steps.values()), inputs, depth)
        if type(estimator) is compose.TransformerUnion:
            return self._union(list(estimator.transformers.values()), inputs, depth)
        return self._leaf(estimator, inputs)

    def _chain(self, steps: Sequence[Any], inputs: Inputs, depth: int) -> tuple[Node, Inputs]:
        if not steps:
            raise Unlowerable("the pipeline is empty")
        parts: list[Node] = []
        for step in steps:
            if parts and last_leaf(parts[-1]).step.transform is None:
                raise Unlowerable("a step follows the model")
            part, inputs = self.visit(step, inputs, depth + 1)
            parts.append(part)
        return Chain(tuple(parts)), inputs

    def _union(self, steps: Sequence[Any], inputs: Inputs, depth: int) -> tuple[Node, Inputs]:
        parts, widths, names = [], [], []
        whole: frozenset[str] = frozenset()
        self.unions += 1
        for step in steps:
            part, outputs = self.visit(step, inputs, depth + 1)
            if last_leaf(part).step.transform is None:
                raise Unlowerable("a union has a part that does not transform")
            parts.append(part)
            widths.append(len(outputs.numbers()))
            names.append(outputs.numbers())
            whole |= outputs.whole
        self.unions -= 1
        flat = tuple(name for part_names in reversed(names) for name in part_names)
        if len(set(flat)) < len(flat):
            raise Unlowerable("parts of a union give the same feature")
        if not 0 < len(flat) <= FEATURES_MAX:
            raise Unlowerable(f"a union gives {len(flat)} features")
        return Union(tuple(parts), tuple(widths)), Inputs(flat, whole=whole, narrow=inputs.narrow)

    def _leaf(self, estimator: Any, inputs: Inputs) -> tuple[Node, Inputs]:
        make = STEPS.get(type(estimator))
        if make is None:
            raise Unlowerable(f"{type(estimator).__name__} is not known")
        if self.unions and type(estimator) is compose.Renamer:
            raise Unlowerable("a Renamer in a union changes what other parts are given")
        step = make(estimator, inputs)
        leaf = Leaf(len(self.leaves), step)
        self.leaves.append(leaf)
        if inputs.raw:
            self.raw.append(leaf)
            if step.reads is None:
                self.open = True
            else:
                self.reads.update(step.reads)
        return leaf, Inputs(step.outputs, text=step.texts, whole=step.whole, narrow=inputs.narrow)
