"""What a planner knows of the features between two steps, beside their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields

from thalweg_server.engines.compiled.dictionary import Coding
from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.steps.base import FEATURES_MAX, Inputs, Step


@dataclass(frozen=True, slots=True)
class Traced(Inputs):
    """Inputs, and where they come from.

    Args:
        origins: those that are a raw feature, passed on as it was, by the name that it had.
        known: whether raw features are known, so that it is known which are text.
        steady: whether steps before give the same when learning as they gave when predicting.
        coding: shared by all steps of a plan.
        orders: in which a Select gives its features, by these: see `make_plan`.
    """

    origins: Mapping[str, str] = field(default_factory=dict)
    known: bool = True
    steady: bool = True
    coding: Coding = field(default_factory=Coding)
    orders: Mapping[frozenset[str], tuple[str, ...]] = field(default_factory=dict)

    def origin(self, name: str) -> str | None:
        """The raw feature that a feature is; None where a step made it."""
        return name if self.raw else self.origins.get(name)


class Passing(Step):
    """A step that passes features on.

    Args:
        passes: by the name of an output, the name of the input that it is.
        absent: raw features that must not be there: they would be passed on, too.
    """

    passes: Mapping[str, str]
    absent: frozenset[str] = frozenset()


def traced(inputs: Inputs) -> Traced:
    """Inputs of which nothing more is known."""
    if isinstance(inputs, Traced):
        return inputs
    given = {each.name: getattr(inputs, each.name) for each in fields(Inputs)}
    return Traced(**given, known=inputs.names is not None)


def outputs_of(step: Step, inputs: Traced) -> Traced:
    """What goes on behind a step."""
    passes = step.passes if isinstance(step, Passing) else {}
    origins = {new: inputs.origin(old) for new, old in passes.items()}
    learns_early = type(step).learn is not None and not step.supervised
    return Traced(
        step.outputs,
        text=step.texts,
        whole=step.whole,
        narrow=inputs.narrow,
        origins={new: old for new, old in origins.items() if old is not None},
        known=inputs.known,
        steady=inputs.steady and not learns_early,
        coding=inputs.coding,
        orders=inputs.orders,
    )


def union_outputs(inputs: Traced, parts: Sequence[Traced]) -> Traced:
    """What goes on behind a union of parts: River hands on the last part first."""
    names = tuple(name for part in reversed(parts) for name in part.names or ())
    if len(set(names)) < len(names):
        raise Unlowerable("parts of a union give the same feature")
    if not 0 < len(names) <= FEATURES_MAX:
        raise Unlowerable(f"a union gives {len(names)} features")
    return Traced(
        names,
        text=frozenset().union(*(part.text for part in parts)),
        whole=frozenset().union(*(part.whole for part in parts)),
        narrow=inputs.narrow,
        origins={new: old for part in parts for new, old in part.origins.items()},
        known=inputs.known,
        steady=all(part.steady for part in parts),
        coding=inputs.coding,
        orders=inputs.orders,
    )
