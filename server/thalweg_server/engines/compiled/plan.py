"""What a River estimator is made of, step by step, where every step can be lowered."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from river import compose, preprocessing

from thalweg_server.core.observation import Context
from thalweg_server.engines.compiled.dictionary import Coding
from thalweg_server.engines.compiled.errors import SchemaNeeded, Unlowerable
from thalweg_server.engines.compiled.nodes import Chain, Leaf, Node, Wrapped, last_leaf, union_of
from thalweg_server.engines.compiled.steps import STEPS
from thalweg_server.engines.compiled.steps.base import Inputs
from thalweg_server.engines.compiled.steps.target_agg import LoweredTargetAgg
from thalweg_server.engines.compiled.steps.tracing import (
    Passing,
    Traced,
    outputs_of,
    traced,
    union_outputs,
)

DATE = Context.DATE.value

DEPTH_MAX, STEPS_MAX = 8, 64
"""Bounds of what is compiled: a kernel's compile time grows with its steps."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A lowered pipeline's structure, the same for all candidates of a fleet.

    Args:
        root: the pipeline.
        leaves: its steps in River's order.
        names: names of River's steps, which a lifted estimator keeps.
        reads: features that it reads, or None where it takes whatever there is.
        taken: all the features there have to be, if `reads` is None; else those that it was
            planned with as far as they matter.
        texts: those of its inputs that are no numbers; steps use those that `coding` names.
        absent: features that must not be there.
        coding: what is kept of features by which steps group.
        given: what it was planned with, all of it.
    """

    root: Chain
    leaves: tuple[Leaf, ...]
    names: tuple[str, ...]
    reads: tuple[str, ...] | None
    taken: tuple[str, ...] = ()
    texts: frozenset[str] = frozenset()
    absent: frozenset[str] = frozenset()
    coding: Coding = field(default_factory=Coding)
    given: Inputs = field(default_factory=Inputs)

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

    def accepts(self, given: Inputs, numbers: Collection[str]) -> bool:
        """Whether a kernel can take rows with these features, of which some are numbers."""
        if self.reads is None:
            return (given.names, given.text) == (self.taken, self.texts)
        absent = self.absent.isdisjoint(given.names or ())
        return absent and self.texts <= given.text and self.texts.union(numbers) >= {*self.reads}

    def full(self, estimator: Any) -> bool:
        """Whether a candidate, lifted, has no room for another group of some step."""
        parts = zip(self.leaves, components(estimator), strict=True)
        return any(
            isinstance(leaf.step, LoweredTargetAgg) and leaf.step.full(part)
            for leaf, (_, part) in parts
        )


def make_plan(
    estimator: Any, inputs: Inputs, orders: Mapping[frozenset[str], tuple[str, ...]] | None = None
) -> Plan:
    """The plan of an estimator.

    Args:
        inputs: what it is given.
        orders: in which a Select gives its features, where it is not the order here.

    Raises:
        Unlowerable: with the reason.
        SchemaNeeded: it depends on the features' names, and `inputs` does not tell.
    """
    planner = _Planner(replace(traced(inputs), orders=orders or {}))
    root, _ = planner.visit(estimator, planner.inputs, 0)
    if not isinstance(root, Chain):
        root = Chain((root,))
    if last_leaf(root).step.predict is None:
        raise Unlowerable("the last step is not a model that can be lowered")
    closed, names = not planner.open, inputs.names or ()
    plan = Plan(
        root=root,
        leaves=tuple(planner.leaves),
        names=tuple(name for name, _ in components(estimator)),
        reads=tuple(sorted(planner.reads)) if closed else None,
        taken=tuple(sorted(planner.asked.intersection(names))) if closed else names,
        texts=inputs.text & planner.reads if closed else inputs.text,
        absent=frozenset(planner.absent),
        coding=planner.inputs.coding,
        given=inputs,
    )
    for leaf in planner.raw:
        leaf.step.bind(plan.inputs)
    return plan


def components(estimator: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The steps that are no composition, each with its path of names, in order."""
    if type(estimator) is compose.Pipeline:
        parts: Mapping[str, Any] = estimator.steps
    elif type(estimator) is compose.TransformerUnion:
        parts = estimator.transformers
    else:
        yield name, estimator
        if type(estimator) is preprocessing.TargetStandardScaler:
            yield from components(estimator.regressor, f"{name}/regressor")
        return
    for key, part in parts.items():
        yield from components(part, f"{name}/{key}")


@dataclass(slots=True)
class _Planner:
    inputs: Traced
    leaves: list[Leaf] = field(default_factory=list)
    raw: list[Leaf] = field(default_factory=list)
    reads: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    unions: int = 0
    wrapped: bool = False
    open: bool = False
    seen: set[int] = field(default_factory=set)

    def visit(self, estimator: Any, inputs: Traced, depth: int) -> tuple[Node, Traced]:
        if depth > DEPTH_MAX or len(self.leaves) > STEPS_MAX:
            raise Unlowerable("the pipeline is too deep or too long")
        if id(estimator) in self.seen:
            raise Unlowerable("the same object is two steps")
        self.seen.add(id(estimator))
        if type(estimator) is compose.Pipeline:
            return self._chain(list(estimator.steps.values()), inputs, depth)
        if type(estimator) is compose.TransformerUnion:
            return self._union(list(estimator.transformers.values()), inputs, depth)
        if type(estimator) is preprocessing.TargetStandardScaler:
            return self._wrapped(estimator, inputs, depth)
        return self._leaf(estimator, inputs)

    def _chain(self, steps: Sequence[Any], inputs: Traced, depth: int) -> tuple[Node, Traced]:
        if not steps:
            raise Unlowerable("the pipeline is empty")
        parts: list[Node] = []
        for step in steps:
            if parts and last_leaf(parts[-1]).step.transform is None:
                raise Unlowerable("a step follows the model")
            part, inputs = self.visit(step, inputs, depth + 1)
            parts.append(part)
        return Chain(tuple(parts)), inputs

    def _union(self, steps: Sequence[Any], inputs: Traced, depth: int) -> tuple[Node, Traced]:
        parts: list[Node] = []
        widths: list[int] = []
        behind: list[Traced] = []
        self.unions += 1
        for step in steps:
            part, outputs = self.visit(step, inputs, depth + 1)
            if last_leaf(part).step.transform is None:
                raise Unlowerable("a union has a part that does not transform")
            if outputs.names is None:
                raise SchemaNeeded
            parts.append(part)
            widths.append(len(outputs.names))
            behind.append(outputs)
        self.unions -= 1
        outputs = union_outputs(inputs, behind)
        return union_of(parts, widths), outputs

    def _wrapped(self, estimator: Any, inputs: Traced, depth: int) -> tuple[Node, Traced]:
        if self.wrapped:
            raise Unlowerable("a wrapper of targets is in another")
        wrapper, outputs = self._leaf(estimator, inputs)
        self.wrapped = True
        # What targets become inside has no fewer bits for being whole outside.
        model, _ = self.visit(estimator.regressor, replace(inputs, narrow=False), depth + 1)
        self.wrapped = False
        final = last_leaf(model).step
        if final.predict is None or final.binary:
            raise Unlowerable("a wrapper of targets has no regressor in it that can be lowered")
        return Wrapped(wrapper, model), outputs

    def _leaf(self, estimator: Any, inputs: Traced) -> tuple[Leaf, Traced]:
        make = STEPS.get(type(estimator))
        if make is None:
            raise Unlowerable(f"{type(estimator).__name__} is not known")
        if self.unions and type(estimator) is compose.Renamer:
            raise Unlowerable("a Renamer in a union changes what other parts are given")
        step = make(estimator, inputs)
        if step.dated and inputs.origin(DATE) != DATE:
            raise Unlowerable("the date does not reach a step that needs it")
        leaf = Leaf(len(self.leaves), step)
        self.leaves.append(leaf)
        if inputs.raw:
            self._raw(leaf)
        return leaf, outputs_of(step, inputs)

    def _raw(self, leaf: Leaf) -> None:
        step = leaf.step
        self.raw.append(leaf)
        self.open = self.open or step.reads is None
        self.reads.update(step.reads or ())
        self.asked.update(step.reads or (), (DATE,) if step.dated else ())
        self.absent.update(step.absent if isinstance(step, Passing) else ())
