"""Writes the kernel of a plan: one loop over items, one call per step.

The source depends on the kinds of the steps and how they are composed; every size and
hyper-parameter is an argument. Thousands of uploads that differ only in these share a kernel.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field

from thalweg_server.core.observation import NO_DAY
from thalweg_server.core.scores import PREDICTION_MAX
from thalweg_server.engines.compiled import banks
from thalweg_server.engines.compiled.fetching import FETCH, fetching, share
from thalweg_server.engines.compiled.guards import deeper, guards
from thalweg_server.engines.compiled.layout import STUCK, Array, Kind
from thalweg_server.engines.compiled.nodes import (
    Bank,
    Chain,
    Leaf,
    Node,
    Union,
    Wrapped,
    learns_early,
    leaves_of,
)
from thalweg_server.engines.compiled.plan import Plan
from thalweg_server.engines.compiled.signature import arguments_of, functions_of, types_of
from thalweg_server.engines.compiled.steps.target_agg import LoweredTargetAgg
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
)

_MATRICES = {"float": "floats", "int": "ints", "half": "halves"}


@dataclass(slots=True)
class Composer:
    """Composes one kernel; `source()` does it all.

    Args:
        plan: what to compile.
        sizes: filled on the way: where the kernel's buffers begin and end, and other widths.
        scratch_length: filled on the way: floats that all buffers take.
        note_length: filled on the way: ints that they take, behind the note.
    """

    plan: Plan
    sizes: list[int] = field(default_factory=list)
    scratch_length: int = 0
    note_length: int = 1
    _prelude: list[str] = field(default_factory=list)
    _views: list[str] = field(default_factory=list)
    _arrays: dict[int, int] = field(default_factory=dict)

    def source(self) -> str:
        """The module's text."""
        self.sizes.clear()
        self.scratch_length, self.note_length = 0, 1
        self._prelude.clear()
        self._views.clear()
        if self.plan.inputs:
            self._buffer("x", len(self.plan.inputs))
        self._declare()
        predict, learn = self._final(self.plan.root, self._input()), self._learn()
        self._prelude.append(share(predict, learn))
        predict, learn = fetching(predict), fetching(learn)
        parts = [HEAD, FETCH, *functions_of(self.plan)]
        parts.append(SIGNATURE.format(types=types_of(self.plan)))
        parts.append(LOOP_HEAD.format(arguments=arguments_of(self.plan)))
        parts.append(_indent(self._prelude, 1))
        parts.append(LOOP.format(stuck=STUCK))
        lines = [*self._dates(), *self._views, *self._gather()]
        lines += guards(self.plan.root, self._input(), self._input(), self._ask, self._transform)
        parts.append(_indent(lines, 2))
        parts.append(PREDICT.format(maximum=PREDICTION_MAX, body=_indent(predict, 3)))
        parts.append(LEARN.format(body=_indent(learn, 3)))
        return "\n".join(parts)

    def _declare(self) -> None:
        array_number = 0
        in_banks = banks.banks_of(self.plan.root)
        self._prelude += [banks.constants_of(bank) for bank in in_banks]
        looped = {leaf.position for bank in in_banks for leaf in bank.parts}
        for leaf in self.plan.leaves:
            self._arrays[leaf.position] = array_number
            if leaf.position in looped:
                array_number += len(leaf.step.arrays)
                continue
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
                self._buffer(_name(leaf, array), array.length, array.kind)

    def _dates(self) -> list[str]:
        if not self.plan.dated:
            return []
        if self.plan.date_first:
            result = [f"status[i] = {DATELESS}"]
        else:
            result = [f"status[i] = {UNSURE}", "if learn:", f"    ints[row, {STUCK}] = 1"]
        return [f"if day == {NO_DAY}:", *(f"    {line}" for line in [*result, "continue"])]

    def _gather(self) -> list[str]:
        lines = ["for f in range(x.size):", "    x[f] = table[f, i]"] if self.plan.inputs else []
        if any(isinstance(leaf.step, LoweredTargetAgg) for leaf in self.plan.leaves):
            lines.append("marks = 0")
        if self.plan.coding.marked:
            lines += ["if table.shape[0] > x.size:", "    marks = int(table[x.size, i])"]
        return lines

    def _ask(self, node: Leaf | Bank, x: str, unsure: Sequence[str]) -> list[str]:
        """Has a step say, before anything changes, whether it can learn what will reach it."""
        if isinstance(node, Leaf):
            asked = f"if learn and {self._call(node, 'guard', f'{x}, y')}:"
            return [asked, *unsure, "    continue"]
        form = "\n".join(["if {}:", *unsure, "    break"])
        looped = deeper(self._loop(node, "guard", f"{x}, y", form))
        return ["if learn:", *looped, f"if status[i] == {UNSURE}:", "    continue"]

    def _learn(self) -> list[str]:
        lines: list[str] = []
        x = self._input()
        *before, last = self.plan.root.parts
        unchanged = True
        for part in before:
            # What predicting has computed still holds as long as nothing has learned since.
            unchanged = unchanged and not learns_early(part)
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
        if isinstance(last, Wrapped):
            # It comes last: nobody else asks for the item's target any more.
            scaled = f"y = {self._call(last.wrapper, 'scale', 'y')}"
            return [scaled, *self._learn_final(last.model, x)]
        assert isinstance(last, Leaf)
        return [
            f"code = {self._call(last, 'learn', f'{x}, y, day')}",
            f"if code != {DONE}:",
            f"    status[i] = {RAISED} + code",
        ]

    def _input(self) -> str:
        return "x" if self.plan.inputs else "nothing"

    def _final(self, last: Node, x: str) -> list[str]:
        if isinstance(last, Chain):
            *before, final = last.parts
            lines, x = self._transforms(before, x)
            return [*lines, *self._final(final, x)]
        if isinstance(last, Wrapped):
            unscaled = f"answer = {self._call(last.wrapper, 'unscale', 'answer')}"
            return [*self._final(last.model, x), unscaled]
        assert isinstance(last, Leaf)
        return [f"answer = {self._call(last, 'predict', f'{x}, day, note')}"]

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
        if isinstance(node, Bank):
            return self._loop(node, "transform", f"{x}, {banks.output(node, out)}, day"), out
        if isinstance(node, Chain):
            lines, x = self._transforms(node.parts[:-1], x)
            more, out = self._transform(node.parts[-1], x, out)
            return [*lines, *more], out
        assert isinstance(node, Union)  # what is wrapped does not transform
        out, slices = self._slices(node, out)
        lines = []
        for part, into in zip(reversed(node.parts), slices, strict=True):
            lines += self._transform(part, x, into)[0]
        return lines, out

    def _learn_part(self, node: Node, x: str, *, again: bool) -> tuple[list[str], str]:
        transform, out = self._transform(node, x)
        if not again:
            transform = ["if not predict:", *deeper(transform)]
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
        if isinstance(node, Bank):
            return self._loop(node, "learn", f"{x}, y, day")
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

    def _loop(self, bank: Bank, role: str, first: str, form: str = "{}") -> list[str]:
        array = self._arrays[bank.parts[0].position]
        return banks.loop(bank, array, role, f"{first}, marks", form)

    def _call(self, leaf: Leaf, role: str, first: str) -> str:
        step = leaf.step
        if isinstance(step, LoweredTargetAgg):
            first = f"{first}, marks"
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
        position = min(leaf.position for leaf in leaves_of(node))
        name = f"union{position}_{len(leaves_of(node))}"
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

    def _buffer(self, name: str, length: int, kind: Kind = "float") -> None:
        memory, begin = "scratch", self.scratch_length
        if kind == "int":
            memory, begin = "note", self.note_length
        at, end = len(self.sizes), begin + length
        if self._once(f"{name} = {memory}[sizes[{at}]:sizes[{at + 1}]]", begin, end):
            if kind == "int":
                self.note_length = end
            else:
                self.scratch_length = end

    def _once(self, line: str, *sizes: int) -> bool:
        target = line.split(" = ", maxsplit=1)[0]
        if any(known.split(" = ")[0] == target for known in self._prelude):
            return False
        self._prelude.append(line)
        self.sizes += sizes
        return True


def _name(leaf: Leaf, array: Array) -> str:
    return f"s{leaf.position}_{array.name}"


def _indent(lines: Sequence[str], levels: int) -> str:
    return textwrap.indent("\n".join(lines), "    " * levels)
