"""Writes the kernel of a plan: one loop over items, one call per step.

The source depends on the kinds of the steps and how they are composed; every size and
hyper-parameter is an argument. Thousands of uploads that differ only in these share a kernel.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from thalweg_server.core.observation import NO_DAY
from thalweg_server.core.scores import PREDICTION_MAX
from thalweg_server.engines.compiled.layout import STUCK, Array
from thalweg_server.engines.compiled.plan import Chain, Leaf, Node, Plan, Union
from thalweg_server.engines.compiled.template import (
    DATELESS,
    DONE,
    HEAD,
    LEARN,
    LOOP,
    LOOP_HEAD,
    PREDICT,
    RAISED,
    SIGNATURE,
    UNSURE,
    function_text,
)

_MATRICES = {"float": "floats", "int": "ints", "half": "halves"}


@dataclass(slots=True)
class Composer:
    """Composes one kernel; `source()` does it all.

    Args:
        plan: what to compile.
        sizes: filled on the way: where the kernel's buffers begin and end, and other widths.
        scratch_length: filled on the way: floats that all buffers take.
    """

    plan: Plan
    sizes: list[int] = field(default_factory=list)
    scratch_length: int = 0
    _prelude: list[str] = field(default_factory=list)
    _views: list[str] = field(default_factory=list)

    def source(self) -> str:
        """The module's text."""
        self.sizes.clear()
        self.scratch_length = 0
        self._prelude.clear()
        self._views.clear()
        if self.plan.inputs:
            self._buffer("x", len(self.plan.inputs))
        self._declare()
        predict, learn = self._predict(), self._learn()
        parts = [
            HEAD,
            *map(function_text, self._functions()),
            SIGNATURE.format(types=self._types()),
        ]
        parts.append(LOOP_HEAD.format(arguments="".join(f", {a}" for a in self.arguments())))
        parts.append(_indent(self._prelude, 1))
        parts.append(LOOP.format(stuck=STUCK))
        lines = [*self._dates(), *self._views, *self._gather(), *self._guards()]
        parts.append(_indent(lines, 2))
        parts.append(PREDICT.format(maximum=PREDICTION_MAX, body=_indent(predict, 3)))
        parts.append(LEARN.format(body=_indent(learn, 3)))
        return "\n".join(parts)

    def arguments(self) -> list[str]:
        """Names of the constants, in order."""
        return [
            f"k{leaf.position}_{name}" for leaf in self.plan.leaves for name in leaf.step.constants
        ]

    def _types(self) -> str:
        constants = (each for leaf in self.plan.leaves for each in leaf.step.constants.values())
        return "".join(f", {constant.dtype}[::1]" for constant in constants)

    def _functions(self) -> Iterator[Callable[..., Any]]:
        seen: set[str] = set()
        for leaf in self.plan.leaves:
            step = type(leaf.step)
            for function in (*step.helpers, step.transform, step.learn, step.predict, step.guard):
                if function is not None and function.__name__ not in seen:
                    seen.add(function.__name__)
                    yield function

    def _declare(self) -> None:
        array_number = 0
        for leaf in self.plan.leaves:
            for array in leaf.step.arrays:
                start, stop = f"begin{array_number}", f"end{array_number}"
                self._prelude += [
                    f"{start} = starts[{array_number}]",
                    f"{stop} = {start} + lengths[{array_number}]",
                ]
                matrix = _MATRICES[array.kind]
                self._views.append(f"{_name(leaf, array)} = {matrix}[row, {start}:{stop}]")
                array_number += 1
            for array in leaf.step.scratch:
                self._buffer(_name(leaf, array), array.length)

    def _dates(self) -> list[str]:
        if not self.plan.dated:
            return []
        if self.plan.date_first:
            result = [f"status[i] = {DATELESS}"]
        else:
            result = [f"status[i] = {UNSURE}", "if learn:", f"    ints[row, {STUCK}] = 1"]
        return [f"if day == {NO_DAY}:", *(f"    {line}" for line in [*result, "continue"])]

    def _gather(self) -> list[str]:
        if not self.plan.inputs:
            return []
        return ["for f in range(x.size):", "    x[f] = table[f, i]"]

    def _guards(self) -> list[str]:
        lines: list[str] = []
        for leaf in self.plan.leaves:
            if type(leaf.step).guard is not None:
                lines += [f"if learn and {self._call(leaf, 'guard', f'{self._input()}, y')}:"]
                lines += [
                    f"    status[i] = {UNSURE}",
                    f"    ints[row, {STUCK}] = 1",
                    "    continue",
                ]
        return lines

    def _predict(self) -> list[str]:
        *before, last = self.plan.root.parts
        lines, x = self._transforms(before, self._input())
        return [*lines, *self._final(last, x, "answer = {}", "predict", "day, note")]

    def _learn(self) -> list[str]:
        lines: list[str] = []
        x = self._input()
        *before, last = self.plan.root.parts
        unchanged = True
        for part in before:
            # What predicting has computed still holds as long as nothing has learned since.
            unchanged = unchanged and not _learns_early(part)
            more, x = self._learn_part(part, x, again=not unchanged)
            lines += more
        return [*lines, *self._learn_final(last, x)]

    def _learn_final(self, last: Node, x: str) -> list[str]:
        if isinstance(last, Chain):
            *before, final = last.parts
            lines: list[str] = []
            for part in before:
                more, x = self._learn_part(part, x, again=True)
                lines += more
            return [*lines, *self._learn_final(final, x)]
        assert isinstance(last, Leaf)
        return [
            f"code = {self._call(last, 'learn', f'{x}, y, day')}",
            f"if code != {DONE}:",
            f"    status[i] = {RAISED} + code",
        ]

    def _input(self) -> str:
        return "x" if self.plan.inputs else "nothing"

    def _final(self, last: Node, x: str, form: str, role: str, more: str) -> list[str]:
        if isinstance(last, Chain):
            *before, final = last.parts
            lines, x = self._transforms(before, x)
            return [*lines, *self._final(final, x, form, role, more)]
        assert isinstance(last, Leaf)
        return [form.format(self._call(last, role, f"{x}, {more}"))]

    def _transforms(self, parts: Sequence[Node], x: str) -> tuple[list[str], str]:
        lines: list[str] = []
        for part in parts:
            more, x = self._transform(part, x)
            lines += more
        return lines, x

    def _transform(self, node: Node, x: str, out: str = "") -> tuple[list[str], str]:
        if isinstance(node, Leaf):
            out = out or self._output(node)
            return [self._call(node, "transform", f"{x}, {out}, day")], out
        if isinstance(node, Chain):
            lines, x = self._transforms(node.parts[:-1], x)
            more, out = self._transform(node.parts[-1], x, out)
            return [*lines, *more], out
        out, slices = self._slices(node, out)
        lines = []
        for part, into in zip(reversed(node.parts), slices, strict=True):
            lines += self._transform(part, x, into)[0]
        return lines, out

    def _learn_part(self, node: Node, x: str, *, again: bool) -> tuple[list[str], str]:
        transform, out = self._transform(node, x)
        if not again:
            transform = ["if not predict:", *(f"    {line}" for line in transform)]
        if isinstance(node, Union):
            early = [part for part in node.parts if not part.supervised]
            late = [part for part in node.parts if part.supervised]
        else:
            early, late = ([], [node]) if node.supervised else ([node], [])
        lines = [line for part in early for line in self._learn_node(part, x)]
        lines += transform
        lines += [line for part in late for line in self._learn_node(part, x)]
        return lines, out

    def _learn_node(self, node: Node, x: str) -> list[str]:
        """What `learn_one` of a transformer does."""
        if isinstance(node, Leaf):
            if type(node.step).learn is None:
                return []
            return [self._call(node, "learn", f"{x}, y, day")]
        lines: list[str] = []
        if isinstance(node, Chain):
            for part in node.parts:
                more, x = self._learn_part(part, x, again=True)
                lines += more
            return lines
        return [line for part in node.parts for line in self._learn_node(part, x)]

    def _call(self, leaf: Leaf, role: str, first: str) -> str:
        step = leaf.step
        arrays = [*step.arrays]
        names = [_name(leaf, array) for array in arrays]
        names += [f"k{leaf.position}_{name}" for name in step.constants]
        names += [_name(leaf, array) for array in step.scratch]
        function = getattr(type(step), role)
        return f"{function.__name__}({', '.join([first, *names])})"

    def _output(self, leaf: Leaf) -> str:
        name = f"out{leaf.position}"
        self._buffer(name, len(leaf.step.outputs))
        return name

    def _slices(self, node: Union, out: str) -> tuple[str, list[str]]:
        position = min(leaf.position for leaf in _leaves(node))
        name = f"union{position}_{len(_leaves(node))}"
        if not out:
            out = name
            self._buffer(out, sum(node.widths))
        slices, begin = [], "0"
        for number, width in enumerate(reversed(node.widths)):
            end = f"{name}_{number}_end"
            self._once(f"{end} = {begin} + sizes[{len(self.sizes)}]", width)
            self._once(f"{name}_{number} = {out}[{begin}:{end}]")
            slices.append(f"{name}_{number}")
            begin = end
        return out, slices

    def _buffer(self, name: str, length: int) -> None:
        at = len(self.sizes)
        begin, end = self.scratch_length, self.scratch_length + length
        if self._once(f"{name} = scratch[sizes[{at}]:sizes[{at + 1}]]", begin, end):
            self.scratch_length = end

    def _once(self, line: str, *sizes: int) -> bool:
        target = line.split(" = ", maxsplit=1)[0]
        if any(known.split(" = ")[0] == target for known in self._prelude):
            return False
        self._prelude.append(line)
        self.sizes += sizes
        return True


def _leaves(node: Node) -> list[Leaf]:
    if isinstance(node, Leaf):
        return [node]
    return [leaf for part in node.parts for leaf in _leaves(part)]


def _stateful(node: Node) -> bool:
    return any(type(leaf.step).learn is not None for leaf in _leaves(node))


def _learns_early(node: Node) -> bool:
    """Whether it would give, on learning, something else than it gave on predicting."""
    if isinstance(node, Union):
        return any(_learns_early(part) for part in node.parts)
    return _stateful(node) and not node.supervised


def _name(leaf: Leaf, array: Array) -> str:
    return f"s{leaf.position}_{array.name}"


def _indent(lines: Sequence[str], levels: int) -> str:
    return textwrap.indent("\n".join(lines), "    " * levels)
