"""Drives a `Session` over blocking gRPC: one thread feeds, gRPC's thread sends, the caller's
thread receives."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Protocol

import grpc

from thalweg.batches import Batcher, Item
from thalweg.errors import Cancelled, ThalwegError
from thalweg.observations import Columns, Row
from thalweg.results import Ack
from thalweg.session import Session
from thalweg.status import from_rpc
from thalweg.v1 import forecaster_pb2 as pb


class LearnCall(Protocol):
    """What a pump needs of a blocking StreamLearn call."""

    def __iter__(self) -> Iterator[pb.StreamLearnResponse]:
        """Iterate over the answers."""

    def cancel(self) -> bool:
        """End the call, if it has not ended."""


OpenCall = Callable[[Iterator[pb.StreamLearnRequest]], LearnCall]


class Pump:
    """One `stream_learn` in progress.

    The source is iterated by a thread of its own, so that acks arrive while it pauses, and so
    that it survives a change of connection. Everything shared is guarded by one condition.
    """

    def __init__(self, session: Session, source: Iterable[Item], open_call: OpenCall) -> None:
        self._session = session
        self._source = source
        self._open_call = open_call
        self._changed = threading.Condition()
        self._batcher: Batcher | None = None
        self._failure: BaseException | None = None
        self._call: LearnCall | None = None
        self.closed = False

    def run(self) -> Generator[Ack, None, None]:
        """Yield the acks; raise what the source raised once all before it is acked."""
        threading.Thread(target=self._feed, name="thalweg-feed", daemon=True).start()
        try:
            while not self._session.finished:
                yield from self._one_connection()
        finally:
            self.close()
        if self._failure is not None:
            raise self._failure

    def close(self) -> None:
        """Stop; safe from any thread and more than once."""
        with self._changed:
            self.closed = True
            call = self._call
            self._changed.notify_all()
        if call is not None:
            call.cancel()

    # The caller's thread.

    def _one_connection(self) -> Generator[Ack, None, None]:
        with self._changed:
            self._session.connect()
            requests = _Requests(self)
        self._call = call = self._open_call(requests)
        try:
            if self.closed:
                call.cancel()
            yield from self._receive(call)
            delay = self._delay_after(None)
        except grpc.RpcError as failure:
            delay = self._delay_after(from_rpc(failure))
        finally:
            with self._changed:
                requests.over = True
                self._changed.notify_all()
        self._sleep(delay)

    def _receive(self, call: LearnCall) -> Generator[Ack, None, None]:
        for message in call:
            with self._changed:
                ack = self._session.receive(message)
                self._changed.notify_all()
            if ack is not None:
                yield ack

    def _delay_after(self, error: ThalwegError | None) -> float:
        if self.closed:
            raise Cancelled("the client was closed")
        with self._changed:
            if error is None:
                return self._session.ended_by_server(time.monotonic())
            return self._session.broken(error, time.monotonic())

    def _sleep(self, seconds: float) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.closed, seconds)
            if self.closed:
                raise Cancelled("the client was closed")

    # The feeding thread.

    def _feed(self) -> None:
        try:
            self._take_all()
        except BaseException as error:
            self._failure = error
        with self._changed:
            self._session.end()
            self._changed.notify_all()

    def _take_all(self) -> None:
        batcher = self._wait_for_limits()
        if batcher is None:
            return
        source = iter(self._source)
        for item in source:
            if self.closed:
                break
            with self._changed:
                idle = not batcher.pending
                done = batcher.add(item)
                if idle and batcher.pending:
                    self._changed.notify_all()
            if done:
                self._put_each(iter(done))
        else:
            self._put_each(iter(batcher.flush()))
            return
        close = getattr(source, "close", None)
        if close is not None:
            close()

    def _wait_for_limits(self) -> Batcher | None:
        with self._changed:
            self._changed.wait_for(lambda: self.closed or self._session.limits)
            limits = self._session.limits
            if self.closed or limits is None:
                return None
            self._batcher = Batcher(limits, self._session.settings.batch_rows)
            return self._batcher

    def _put_each(self, batches: Iterator[pb.StreamLearnRequest]) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self.closed or self._session.has_room)
                batch = None if self.closed else next(batches, None)
                if batch is None:
                    return
                self._session.put(batch)
                self._changed.notify_all()

    # gRPC's sending thread.

    def next_request(self, requests: _Requests) -> pb.StreamLearnRequest | None:
        """Return what to send next, None where this connection is done; waits in between."""
        with self._changed:
            while not (requests.over or self.closed):
                message = self._session.next_message()
                if message is not None:
                    return message
                if self._session.all_sent:
                    return None
                self._wait_or_send_what_there_is()
        return None

    def _wait_or_send_what_there_is(self) -> None:
        batcher, linger = self._batcher, self._session.linger
        if batcher is None or linger is None or not batcher.pending:
            self._changed.wait()
            return
        signalled = self._changed.wait(linger)
        if not signalled and self._session.has_room:
            for batch in batcher.flush():
                self._session.put(batch)


class _Requests:
    """The requests of one connection; `over` once it is."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self.over = False

    def __iter__(self) -> Iterator[pb.StreamLearnRequest]:
        return self

    def __next__(self) -> pb.StreamLearnRequest:
        message = self._pump.next_request(self)
        if message is None:
            raise StopIteration
        return message


def items_of(source: Iterable[Item] | Item) -> Iterable[Item]:
    """Return the source as an iterable; one item is a source too."""
    if isinstance(source, Row | Columns | pb.LearnRows | pb.LearnColumns):
        return (source,)
    return source
