"""A fleet: all candidates of one plan and the same hyper-parameters, a row of memory each."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from river import compose

from thalweg_server.core.observation import Context
from thalweg_server.engines.compiled.block import Block
from thalweg_server.engines.compiled.blueprint import Blueprint, blueprint_of
from thalweg_server.engines.compiled.cache import Kernel, KernelCache
from thalweg_server.engines.compiled.composer import Composer
from thalweg_server.engines.compiled.crew import Crew
from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.layout import ROW_WORDS_MAX, Layout
from thalweg_server.engines.compiled.plan import Plan, components

Key: TypeAlias = tuple[Any, ...]


@dataclass(slots=True)
class Fleet:
    """Rows of candidates, and the kernel that runs over them.

    Args:
        plan: what the candidates are made of.
        blueprint: how the plan is made again in another process.
        skeleton: a River estimator like them that has learned nothing.
        context: what of an observation's frame they see in `x`.
    """

    plan: Plan
    blueprint: Blueprint
    skeleton: Any
    context: tuple[Context, ...]
    layout: Layout
    kernel: Kernel
    sizes: NDArray[np.int64]
    scratch_length: int
    note_length: int
    constants: Sequence[Any]
    _block: Block = field(init=False)
    _used: int = 0
    _free: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._block = Block(self.layout.words)

    @property
    def row_bytes(self) -> int:
        """Memory of one candidate."""
        return 8 * self.layout.words

    def __len__(self) -> int:
        return self._used - len(self._free)

    def add(self, estimator: Any) -> int:
        """A row with an estimator's state; raises Unlowerable and then has none."""
        row = self._reserve()
        views = self.layout.views(self._block.floats[row])
        parts = components(estimator)
        try:
            for (_, part), leaf, arrays in zip(parts, self.plan.leaves, views, strict=True):
                leaf.step.lower(part, arrays)
        except BaseException:
            self.drop(row)
            raise
        return row

    def lift(self, row: int) -> Any:
        """A genuine River estimator with the state of a row."""
        estimator = copy.deepcopy(self.skeleton)
        views = self.layout.views(self._block.floats[row])
        parts = components(estimator)
        for (_, part), leaf, arrays in zip(parts, self.plan.leaves, views, strict=True):
            leaf.step.lift(arrays, part)
        _build_plans(estimator)
        return estimator

    def clone(self, row: int) -> int:
        """A copy of a row."""
        new = self._reserve()
        rows = self._block.floats
        rows[new] = rows[row]
        return new

    def drop(self, row: int) -> None:
        """Forgets a row."""
        self._block.floats[row] = 0.0
        self._free.append(row)

    @property
    def rows(self) -> NDArray[np.float64]:
        """All rows given out so far, those that were dropped included; a view."""
        return self._block.floats[: self._used]

    @property
    def free(self) -> Sequence[int]:
        """Rows that were dropped; the last one is given out next."""
        return self._free

    def restore(self, rows: int, free: Sequence[int]) -> NDArray[np.float64]:
        """Gives out so many rows, some of them dropped, for the caller to fill; has none before."""
        self._block.reserve(rows)
        self._used, self._free = rows, list(free)
        return self.rows

    def memory(self) -> tuple[NDArray[Any], ...]:
        """The kernel's arguments that say where the rows are, until one is added."""
        block, layout = self._block, self.layout
        return (block.floats, block.ints, block.halves, layout.starts, layout.lengths, self.sizes)

    def scratch(self) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Memory that one call of the kernel may overwrite."""
        return np.empty(self.scratch_length), np.zeros(self.note_length, np.int64)

    def _reserve(self) -> int:
        if self._free:
            return self._free.pop()
        if self._used == len(self._block):
            self._block.grow()
        self._used += 1
        return self._used - 1


@dataclass(slots=True)
class Fleets:
    """All fleets, found by what they are made of.

    Args:
        kernels: where their code comes from.
        threads: how many may run one kernel at a time.
    """

    kernels: KernelCache = field(default_factory=KernelCache)
    threads: int = 1
    crew: Crew = field(init=False)
    _fleets: list[Fleet] = field(default_factory=list)
    _by_key: dict[Key, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.crew = Crew(self.threads)

    def __getitem__(self, number: int) -> Fleet:
        return self._fleets[number]

    def __len__(self) -> int:
        return len(self._fleets)

    def find(self, plan: Plan, estimator: Any, context: tuple[Context, ...]) -> int:
        """Number of the fleet for such an estimator, made where there is none.

        Raises:
            Unlowerable: it would take too much memory per candidate, or too many kernels, or
                could not be restored from a snapshot.
        """
        key = _key(plan, context)
        number = self._by_key.get(key)
        if number is None:
            skeleton = estimator.clone()
            blueprint = blueprint_of(plan, skeleton)
            self._fleets.append(self.make(plan, blueprint, skeleton, context))
            number = self._by_key[key] = len(self._fleets) - 1
        return number

    def close(self) -> None:
        """Ends the threads and what is being compiled; idempotent."""
        self.crew.close()
        self.kernels.close()

    def restore(self, fleets: Sequence[Fleet]) -> None:
        """Holds these, which `make` made, under their positions; there are none before."""
        self._fleets += fleets
        self._by_key |= {_key(each.plan, each.context): n for n, each in enumerate(fleets)}

    def make(
        self, plan: Plan, blueprint: Blueprint, skeleton: Any, context: tuple[Context, ...]
    ) -> Fleet:
        """A fleet that is not held yet.

        Raises:
            Unlowerable: it would take too much memory per candidate, or too many kernels.
            NotReady: its kernel is being compiled.
        """
        layout = Layout([leaf.step.arrays for leaf in plan.leaves])
        if layout.words > ROW_WORDS_MAX:
            raise Unlowerable(f"a candidate would take {8 * layout.words} bytes")
        composer = Composer(plan)
        source = composer.source()
        return Fleet(
            plan=plan,
            blueprint=blueprint,
            skeleton=skeleton,
            context=context,
            layout=layout,
            kernel=self.kernels.get(source),
            sizes=np.array(composer.sizes, np.int64),
            scratch_length=composer.scratch_length,
            note_length=composer.note_length,
            constants=[each for leaf in plan.leaves for each in leaf.step.constants.values()],
        )


def _build_plans(estimator: Any) -> None:
    """Has pipelines cache their order of execution, as those have that have learned."""
    if type(estimator) is compose.Pipeline:
        estimator._build_plan()
        for part in estimator.steps.values():
            _build_plans(part)
    elif type(estimator) is compose.TransformerUnion:
        for part in estimator.transformers.values():
            _build_plans(part)


def _key(plan: Plan, context: tuple[Context, ...]) -> Key:
    steps = tuple(
        (
            leaf.step.kind,
            leaf.step.inputs,
            leaf.step.outputs,
            tuple(leaf.step.arrays),
            tuple((name, value.tobytes()) for name, value in leaf.step.constants.items()),
        )
        for leaf in plan.leaves
    )
    return (plan.root.shape, plan.names, plan.reads, plan.taken, steps, context)
