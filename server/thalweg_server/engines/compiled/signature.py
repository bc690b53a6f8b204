"""What a kernel takes and calls, as its steps say."""

from __future__ import annotations

from collections.abc import Iterator

from thalweg_server.engines.compiled.plan import Plan
from thalweg_server.engines.compiled.template import function_text


def arguments_of(plan: Plan) -> str:
    """Names of the constants, in order."""
    return "".join(
        f", k{leaf.position}_{name}" for leaf in plan.leaves for name in leaf.step.constants
    )


def types_of(plan: Plan) -> str:
    """Their types."""
    constants = (each for leaf in plan.leaves for each in leaf.step.constants.values())
    return "".join(f", {constant.dtype}[::1]" for constant in constants)


def functions_of(plan: Plan) -> Iterator[str]:
    """The text of each function that it calls."""
    seen: set[str] = set()
    for leaf in plan.leaves:
        step = type(leaf.step)
        roles = (step.transform, step.learn, step.predict, step.guard)
        for function in (*step.apart, *step.helpers, *roles):
            if function is not None and function.__name__ not in seen:
                seen.add(function.__name__)
                yield function_text(function, inlined=function not in step.apart)
