"""What a step of a pipeline has to state so that candidates with it can be lowered.

A step is one class: its state's arrays, its constants, its arithmetic as plain Python functions
on scalars and arrays that numba compiles, and the two ways between a River object and a row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from thalweg_server.engines.compiled.errors import SchemaNeeded, Unlowerable
from thalweg_server.engines.compiled.layout import Array, Views

FEATURES_MAX = 512
"""Above that a candidate's row would be long and the sums slow; nobody's item has so many."""

WINDOW_MAX = 4_096
"""Observations that one window may hold."""

EXACT_MAX = 2**53
"""Integers up to this are exact as float64."""

Floats: TypeAlias = NDArray[np.float64]
Ints: TypeAlias = NDArray[np.int64]
Halves: TypeAlias = NDArray[np.float32]

Constants: TypeAlias = dict[str, NDArray[np.float64] | NDArray[np.int64]]


@dataclass(frozen=True, slots=True)
class Inputs:
    """What reaches a step.

    Args:
        names: the features in order; None where only the first row will tell.
        raw: whether they are the caller's own, untouched by another step.
        text: those that are text.
        whole: those that River has as an int; lifted state has the same types.
        narrow: whether targets that are kept may take four bytes each, where these are exact.
    """

    names: tuple[str, ...] | None = None
    raw: bool = False
    text: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    narrow: bool = False

    def numbers(self) -> tuple[str, ...]:
        """The names, for a step that needs every feature to be a number.

        Raises:
            SchemaNeeded: the first row will tell.
            Unlowerable: some are text, or there are too many.
        """
        if self.names is None:
            raise SchemaNeeded
        if texts := self.text & set(self.names):
            raise Unlowerable(f"feature {min(texts)!r} is text where a number is needed")
        if len(self.names) > FEATURES_MAX:
            raise Unlowerable(f"{len(self.names)} features are more than {FEATURES_MAX}")
        return self.names


class Step:
    """One step of a lowered pipeline: what is the same for all rows of a fleet.

    The functions of a step are module-level ones, called as
    `transform(x, out, day, *arrays, *constants, *scratch)`,
    `learn(x, y, day, *arrays, *constants, *scratch) -> int` (0, or a code of `RAISED`) and
    `predict(x, day, note, *arrays, *constants, *scratch) -> float`, which sets `note[0] = 1`
    where it cannot tell what River would answer. Predicting changes no array.

    Args:
        inputs: names of what comes in.
        outputs: names of what goes out; empty at the end of a pipeline.
    """

    kind: ClassVar[str]
    """Names the arithmetic; steps of one kind share their compiled functions."""
    supervised: ClassVar[bool] = False
    """Whether it transforms before it learns."""
    dated: ClassVar[bool] = False
    """Whether it reads the day."""
    transform: ClassVar[Callable[..., None] | None] = None
    learn: ClassVar[Callable[..., int] | None] = None
    predict: ClassVar[Callable[..., float] | None] = None
    guard: ClassVar[Callable[..., bool] | None] = None
    """Says, before an item changes anything, that the step cannot learn it: `guard(x, y,
    *arrays, *constants, *scratch)`, x being the raw features."""
    scale: ClassVar[Callable[..., float] | None] = None
    """Of a step around a model, `scale(y, *arrays, *constants, *scratch) -> float`: learns a
    target and answers what the model learns in its place."""
    unscale: ClassVar[Callable[..., float] | None] = None
    """Of a step around a model, `unscale(answer, *arrays, *constants, *scratch) -> float`: makes
    an answer of the model's."""
    binary: ClassVar[bool] = False
    """Whether it answers the probability of True, not a number of its own."""
    helpers: ClassVar[Sequence[Callable[..., Any]]] = ()
    apart: ClassVar[Sequence[Callable[..., Any]]] = ()
    """Helpers that are seldom called: not compiled into the loop, which takes less time."""

    reads: tuple[str, ...] | None = None
    """The features that it reads where it comes first; None: all there are."""
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    texts: frozenset[str] = frozenset()
    """The outputs that are text, passed through."""
    whole: frozenset[str] = frozenset()
    """The outputs that River has as an int."""

    @property
    def narrow(self) -> bool:
        """Whether a wider layout could take what this one cannot."""
        return False

    @property
    def arrays(self) -> Sequence[Array]:
        """The state, per row."""
        return ()

    @property
    def constants(self) -> Constants:
        """Hyper-parameters, one dimension each: equal for all rows of a fleet."""
        return {}

    @property
    def scratch(self) -> Sequence[Array]:
        """Memory that a call may overwrite."""
        return ()

    def bind(self, available: tuple[str, ...]) -> None:
        """Learns what raw features a kernel is given, where the step reads these."""

    def lower(self, estimator: Any, views: Views) -> None:
        """Writes the learned state into a row; raises Unlowerable."""

    def lift(self, views: Views, estimator: Any) -> None:
        """Gives a fresh estimator the state of a row."""


def number(value: Any) -> float:
    """A learned number as the very same float64; raises Unlowerable where it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating):
        raise Unlowerable(f"a learned value is a {type(value).__name__}")
    if isinstance(value, int) and abs(value) > EXACT_MAX:
        raise Unlowerable(f"a learned value is the integer {value}")
    return float(value)


def finite(value: Any) -> float:
    """A number that is neither NaN nor infinite; raises Unlowerable."""
    exact = number(value)
    if not np.isfinite(exact):
        raise Unlowerable(f"a learned value is {exact}")
    return exact


def numbers(values: Iterable[Any]) -> Floats:
    """Learned numbers as the very same float64s; raises Unlowerable where one is none."""
    listed = list(values)
    kinds = set(map(type, listed))
    if kinds <= {float} or (kinds <= {float, int} and all(map(_is_exact, listed))):  # nearly always
        return np.array(listed, np.float64)
    return np.array([number(value) for value in listed], np.float64)


def _is_exact(value: float) -> bool:
    return type(value) is float or -EXACT_MAX <= value <= EXACT_MAX


def finites(values: Iterable[Any]) -> Floats:
    """Numbers that are neither NaN nor infinite; raises Unlowerable."""
    exact = numbers(values)
    if not np.isfinite(exact).all():
        raise Unlowerable(f"a learned value is {exact[~np.isfinite(exact)][0]}")
    return exact


def fits_narrow(values: Any) -> bool:
    """Whether numbers are exact in four bytes each."""
    wide = np.asarray(values, np.float64)
    with np.errstate(over="ignore", under="ignore"):
        return bool((wide.astype(np.float32) == wide).all())


def count(value: Any) -> int:
    """A count of observations; raises Unlowerable."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise Unlowerable(f"a count is a {type(value).__name__}")
    if not 0 <= value < EXACT_MAX:
        raise Unlowerable(f"a count is {value}")
    return int(value)


def window(value: Any, what: str) -> int:
    """A window's size within bounds; raises Unlowerable."""
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= WINDOW_MAX:
        raise Unlowerable(f"{what} is {value!r}, not a whole number from 1 to {WINDOW_MAX}")
    return value


def setting(value: Any, what: str) -> float:
    """A finite hyper-parameter; raises Unlowerable."""
    try:
        return finite(value)
    except Unlowerable:
        raise Unlowerable(f"{what} is {value!r}, not a finite number") from None


def exactly(value: Any, wanted: type, what: str) -> None:
    """Raises Unlowerable unless the value is of that very class: a subclass may do anything."""
    if type(value) is not wanted:
        raise Unlowerable(f"{what} is {_article(type(value).__name__)}, not {wanted.__name__}")


def only(estimator: Any, attributes: set[str]) -> None:
    """Raises Unlowerable where an estimator has attributes that River does not give it."""
    if extra := vars(estimator).keys() - attributes:
        raise Unlowerable(f"{type(estimator).__name__} has an attribute {min(extra)!r} of its own")


def same_features(keys: Any, names: Sequence[str], owner: str) -> bool:
    """Whether something is known of all the features; raises Unlowerable where it is of others."""
    known = set(keys)
    if not known:
        return False
    if known != set(names):
        odd = min(map(str, known ^ set(names)))
        raise Unlowerable(f"{owner} has learned other features than it is given: {odd!r}")
    return True


def typed(names: Sequence[str], values: Sequence[float], whole: frozenset[str]) -> dict[str, Any]:
    """Features as River has them: ints where they are."""
    pairs = zip(names, values, strict=True)
    return {n: int(v) if n in whole and np.isfinite(v) else v for n, v in pairs}


def _article(name: str) -> str:
    return f"{'an' if name[:1] in 'AEIOU' else 'a'} {name}"
