"""Inside a worker: estimators by slot, and what the server asks of them.

Whatever an estimator raises is an answer, BaseException included: parts written in Rust raise
PanicException, which is no Exception, and a model may call `sys.exit`. What ends the process, ends
it; the server knows which item it was at.
"""

from __future__ import annotations

import gc
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from thalweg_server.core.errors import BadPayload, NotAnEstimator, PayloadRefused, Refusal
from thalweg_server.core.observation import Context, Flavor
from thalweg_server.core.policy import Policy
from thalweg_server.core.ports import Answer
from thalweg_server.engines.asking import ask
from thalweg_server.engines.cell import Cell, answer_of, label_methods, learned
from thalweg_server.engines.kinds import LABEL_KINDS, check_kind, known_classes
from thalweg_server.engines.pickling import serialise
from thalweg_server.engines.river import size_of
from thalweg_server.engines.structures import Unpackable, pack
from thalweg_server.engines.texts import describe, text_of
from thalweg_server.uploads import load
from thalweg_server.workers.moulds import Moulds
from thalweg_server.workers.progress import Progress
from thalweg_server.workers.wire import Channel, Ended, packed, unpacked

REFUSALS: dict[str, type[Refusal]] = {
    each.__name__: each for each in (BadPayload, NotAnEstimator, PayloadRefused)
}
"""What a worker may say of an upload."""

KINDS = {kind.__name__: kind for kind in LABEL_KINDS}

INTEGER_MIN, INTEGER_MAX = -(1 << 63), (1 << 64) - 1
"""Of MessagePack."""


def serve(channel: Channel, progress: Progress, depth: int) -> None:
    """Answers until the server closes its end, and says which item it is at.

    Args:
        channel: to the server.
        progress: what it reads there.
        depth: of calls within calls, for what copies estimators and writes them down: River's
            larger trees take more than Python's own limit. Where they learn that stays, for some
            take from it how deep they may grow.
    """
    worker = _Worker(channel, progress, depth)
    gc.enable()
    try:
        while True:
            operation, *arguments = channel.receive()
            getattr(worker, f"do_{operation}")(*arguments)
    except Ended:
        return


class _Worker:
    """What the server may ask: each `do_` sends its reply, or one for each item."""

    def __init__(self, channel: Channel, progress: Progress, depth: int) -> None:
        self._depth = depth
        self._send = channel.send
        self._send_packed = channel.send_packed
        self._begin = progress.begin
        self._cells: dict[int, Cell] = {}
        self._moulds = Moulds()

    def do_load(self, payload: bytes, policy: str, flavor: str) -> None:
        """Loads an upload, says what it is, and keeps nothing."""
        try:
            estimator = load(payload, Policy(policy))
            check_kind(estimator, Flavor(flavor))
            classes = known_classes(estimator) if Flavor(flavor) is Flavor.MULTICLASS else ()
            kinds = [kind.__name__ for kind in classes]
            structure = _structure(estimator)
            # Walking an object takes as long as packing it; what is packed is bounded anyway.
            size = size_of(estimator) if structure is None else len(structure)
            said = ["loaded", describe(estimator), kinds, structure, size]
        except Refusal as refusal:
            said = ["refused", type(refusal).__name__, refusal.message]
        except BaseException as error:
            said = ["refused", BadPayload.__name__, text_of(error)]
        self._send(said)  # behind the error, which may hold all the memory there is

    def do_hold(
        self,
        slot: int,
        base: tuple[int, bytes | None, str],
        sort: tuple[str, Sequence[str]],
        lessons: Sequence[bytes],
    ) -> None:
        """Makes a candidate from its base, and teaches it again what it has learned since."""
        try:
            with self._deep():
                estimator = self._moulds.cast(*base)
            kind, context = Flavor(sort[0]), tuple(map(Context, sort[1]))
            cell = Cell(estimator, context, kind, *label_methods(estimator, kind))
            for number, lesson in enumerate(lessons, 1):
                self._begin(number)
                _learn(cell, lesson)
            self._cells[slot] = cell
            said = ["made"]
        except BaseException as error:
            self._moulds.forget(base[0])
            said = ["failed", text_of(error)]
        self._send(said)

    def do_learn(self, items: Sequence[tuple[int, bytes]]) -> None:
        """Has each slot predict and learn; a reply for each."""
        self._send_packed(*map(self._learned, range(len(items)), items))

    def do_predict(self, items: Sequence[tuple[int, bytes]]) -> None:
        """Asks each slot, and changes none."""
        with self._deep():
            replies = [*map(self._predicted, range(len(items)), items)]
        self._send_packed(*replies)

    def do_dump(self, slot: int) -> None:
        """The candidate as an upload."""
        self._try(lambda: [serialise(self._cells[slot].estimator)])

    def do_checkpoint(self, slot: int, policy: str) -> None:
        """The candidate as a base: as `pickle` writes it, which takes a hundredth of the time."""
        self._try(lambda: _checkpoint(self._cells[slot].estimator, policy))

    def do_structure(self, slot: int) -> None:
        """The candidate as plain data, where it is made of nothing but what can be lowered."""
        self._try(lambda: [pack(self._cells[slot].estimator)])

    def do_size(self, slot: int) -> None:
        """Bytes that the candidate takes."""
        self._try(lambda: [size_of(self._cells[slot].estimator)])

    def do_drop(self, slots: Sequence[int]) -> None:
        """Forgets candidates. There is no reply."""
        for slot in slots:
            self._cells.pop(slot, None)

    def _learned(self, number: int, item: tuple[int, bytes]) -> bytes:
        self._begin(number)
        slot, lesson = item
        return _reply(*_learn(self._cells[slot], lesson))

    def _predicted(self, number: int, item: tuple[int, bytes]) -> bytes:
        self._begin(number)
        slot, x = item
        return _reply(answer_of(self._cells[slot], unpacked(x), ask))

    @contextmanager
    def _deep(self) -> Iterator[None]:
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(self._depth)
        try:
            yield
        finally:
            sys.setrecursionlimit(limit)

    def _try(self, make: Callable[[], list[Any]]) -> None:
        try:
            with self._deep():
                said = ["made", *make()]
        except Refusal as refusal:
            said = ["failed", refusal.message]
        except BaseException as error:
            said = ["failed", text_of(error)]
        self._send(said)


def _checkpoint(estimator: Any, policy: str) -> list[Any]:
    """A base, and whether `pickle` wrote it. It will have to be loaded: better to know now."""
    try:
        payload = pickle.dumps(estimator, pickle.HIGHEST_PROTOCOL)
        pickle.loads(payload)
    except Exception:  # functions by value are dill's
        payload = serialise(estimator)
        load(payload, Policy(policy))
        return [payload, False]
    return [payload, True]


def _learn(cell: Cell, lesson: bytes) -> tuple[Answer, bool]:
    x, target, predict = unpacked(lesson)
    return learned(cell, x, target, predict=predict)


def _reply(answer: Answer, unlearned: bool = False) -> bytes:
    try:
        label, given = _plain(answer.label), answer.probabilities
        if given is not None:
            given = {_plain(each): probability for each, probability in given.items()}
        return packed(["done", answer.value, label, given, answer.error, unlearned])
    except BaseException as error:  # its text may raise whatever it likes
        return packed(["done", None, None, None, text_of(error), unlearned])


def _plain(label: Any) -> Any:
    """A label as it can be sent; what is no class of the contract goes as its text."""
    if isinstance(label, int) and not INTEGER_MIN <= label <= INTEGER_MAX:
        return str(label)
    return label if label is None or isinstance(label, str | int | float) else str(label)


def _structure(estimator: Any) -> bytes | None:
    try:
        return pack(estimator)
    except Unpackable:
        return None
