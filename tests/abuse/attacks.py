"""What a hostile client does to the gRPC port, each for as long and as often as it is told.

Every attack takes the server's address, how long it may go on and how often it may do what it does,
and returns in a few words what it did: the server is what is measured, not the attacker.
"""

from __future__ import annotations

import contextlib
import itertools
import struct
import time
from collections.abc import Callable, Iterator

from tests.abuse.frames import (
    CONTINUATION,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PING,
    PREFACE,
    Closed,
    Peer,
    block,
    call,
    call_headers,
    data,
    frame,
    message,
    reset,
    settings,
    window,
)
from thalweg.v1 import forecaster_pb2 as pb

Attack = Callable[[str, float, int], str]

SERVICE = "/thalweg.v1.Forecaster/"
PREDICT, STREAM_LEARN = SERVICE + "Predict", SERVICE + "StreamLearn"
PREDICT_MANY, WATCH = SERVICE + "PredictMany", SERVICE + "WatchScores"


def _stop(seconds: float) -> Callable[[], bool]:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _rounds(seconds: float, count: int) -> Iterator[int]:
    over = _stop(seconds)
    return itertools.takewhile(lambda _: not over(), range(count))


def huge_messages(address: str, seconds: float, count: int) -> str:
    """Messages that say they have 200 MB, with as much of it as the server lets in."""
    sent = 0
    for _ in _rounds(seconds, count):
        with Peer(address) as peer, contextlib.suppress(Closed, TimeoutError):
            prefix = b"\x00" + struct.pack(">I", 200_000_000)
            peer.send(call(1, PREDICT) + data(1, prefix + bytes(60_000)))
            sent += 1
            list(itertools.islice(peer.frames(0.2), 5))
    return f"{sent} messages"


def huge_metadata(address: str, seconds: float, count: int) -> str:
    """Calls with 1 MB of metadata."""
    sent = 0
    headers = (b"x-much", bytes(1_000_000))
    peer = Peer(address)
    for number in _rounds(seconds, count):
        try:
            peer.send(call(2 * number + 1, PREDICT, headers, end=True)).poll()
        except (Closed, TimeoutError):
            peer.close()
            peer = Peer(address)
        sent += 1
    peer.close()
    return f"{sent} calls"


def rapid_resets(address: str, seconds: float, count: int) -> str:
    """Calls that are cancelled in the same breath."""
    return _resets(address, seconds, count, b"")


def late_resets(address: str, seconds: float, count: int) -> str:
    """Calls that are cancelled once their request is complete."""
    request = pb.PredictRequest(model="m1").SerializeToString()
    return _resets(address, seconds, count, message(request))


def _resets(address: str, seconds: float, count: int, request: bytes) -> str:
    peer, stream, sent = Peer(address), 1, 0
    for _ in _rounds(seconds, count // 100):
        burst = b""
        for _ in range(100):
            burst += call(stream, PREDICT)
            burst += (data(stream, request, end=True) if request else b"") + reset(stream)
            stream += 2
        try:
            peer.send(burst).poll()
        except (Closed, TimeoutError):
            peer.close()
            peer, stream = Peer(address), 1
        sent += 100
    peer.close()
    return f"{sent} calls"


def reset_flood(address: str, seconds: float, count: int) -> str:
    """Cancellations of a call that is over already."""
    return _flood(address, seconds, count, call(1, PREDICT) + reset(1), reset(1) * 100)


def ping_flood(address: str, seconds: float, count: int) -> str:
    """Pings, whose answers nobody reads."""
    return _flood(address, seconds, count, b"", frame(PING, 0, b"tick-tok") * 100)


def settings_flood(address: str, seconds: float, count: int) -> str:
    """Settings, each of which asks for an answer that nobody reads."""
    change = settings((INITIAL_WINDOW_SIZE, 65_535)) * 100
    return _flood(address, seconds, count, b"", change)


def continuation_flood(address: str, seconds: float, count: int) -> str:
    """Headers that never end."""
    more = frame(CONTINUATION, 1, block([(b"x-more", bytes(16_000))]))
    return _flood(address, seconds, count, frame(HEADERS, 1, call_headers(PREDICT)), more * 10)


def empty_data_flood(address: str, seconds: float, count: int) -> str:
    """DATA frames with nothing in them."""
    return _flood(address, seconds, count, call(1, STREAM_LEARN), _NOTHING)


_NOTHING = frame(0, 1) * 100


def _flood(address: str, seconds: float, count: int, first: bytes, burst: bytes) -> str:
    """Sends a burst again and again; a connection that the server ends is opened anew."""
    sent = ended = 0
    peer: Peer | None = None
    for _ in _rounds(seconds, count):
        try:
            if peer is None:
                peer = Peer(address)
                peer.socket.settimeout(0.5)
                peer.send(first)
            peer.send(burst)
            sent += 1
        except (Closed, TimeoutError, OSError):
            ended += 1
            if peer is not None:
                peer.close()
            peer = None
    if peer is not None:
        peer.close()
    return f"{sent} bursts, {ended} connections ended or stalled"


def silent_sockets(address: str, seconds: float, count: int) -> str:
    """Connections that send nothing, half a preface, or a preface and nothing more."""
    hellos = (b"", PREFACE[:10], PREFACE)
    peers = [Peer(address, None) for _ in range(count)]
    for peer, hello in zip(peers, itertools.cycle(hellos), strict=False):
        peer.send(hello)
    begun = time.monotonic()
    last, left = 0.0, set(range(count))
    over = _stop(max(seconds, 12.0))
    while left and not over():
        for number in list(left):
            try:
                peers[number].poll()
            except Closed:
                left.discard(number)
                last = time.monotonic() - begun
        time.sleep(0.1)
    for peer in peers:
        peer.close()
    return f"{count - len(left)} of {count} closed, the last after {last:.1f} s"


def slow_readers(address: str, seconds: float, count: int) -> str:
    """Streams that ask for much and take nothing: acks, PredictMany and WatchScores."""
    rows = [pb.LearnRequest(model="m1", target=pb.Value(number=1.0))]
    opening = pb.StreamLearnRequest(open=pb.StreamOpen())
    peers = []
    for number in range(count):
        peer = Peer(address, [(INITIAL_WINDOW_SIZE, 0)])
        kind = number % 3
        path = (STREAM_LEARN, PREDICT_MANY, WATCH)[kind]
        peer.send(call(1, path))
        with contextlib.suppress(Closed, TimeoutError):
            if kind == 0:
                peer.socket.settimeout(0.05)
                peer.send(data(1, message(opening.SerializeToString())))
                for sequence in range(1, 1_000):
                    batch = pb.StreamLearnRequest(sequence=sequence, rows=pb.LearnRows(rows=rows))
                    peer.send(data(1, message(batch.SerializeToString())))
            else:
                request = pb.PredictManyRequest(glob="*") if kind == 1 else pb.WatchScoresRequest()
                peer.send(data(1, message(request.SerializeToString()), end=True))
        peers.append(peer)
    over = _stop(seconds)
    while not over():
        time.sleep(0.1)
    for peer in peers:
        peer.close()
    return f"{count} streams"


def idle_streams(address: str, seconds: float, count: int) -> str:
    """Streams that are open and silent."""
    return _held_open(address, seconds, count, call_of=lambda stream: call(stream, STREAM_LEARN))


def unfinished_calls(address: str, seconds: float, count: int) -> str:
    """Unary calls whose request never comes."""
    return _held_open(address, seconds, count, call_of=lambda stream: call(stream, PREDICT))


def _held_open(address: str, seconds: float, count: int, call_of: Callable[[int], bytes]) -> str:
    peers = []
    per_peer = 1_000
    for start in range(0, count, per_peer):
        peer = Peer(address)
        some = range(min(per_peer, count - start))
        with contextlib.suppress(Closed, TimeoutError):
            peer.send(b"".join(call_of(2 * number + 1) for number in some))
        peers.append(peer)
    over = _stop(seconds)
    refused = 0
    while not over():
        for peer in peers:
            with contextlib.suppress(Closed):
                refused += sum(1 for each in peer.poll() if each.kind == HEADERS)
        time.sleep(0.05)
    for peer in peers:
        peer.close()
    return f"{count} calls, {refused} of them refused"


def unfinished_messages(address: str, seconds: float, count: int) -> str:
    """Messages within bounds that stop shortly before their end, as many as fit."""
    size = 8_000_000
    peers = []
    over = _stop(seconds)
    for _ in range(count):
        peer = Peer(address)
        peer.socket.settimeout(0.5)
        prefix = b"\x00" + struct.pack(">I", size)
        sent, room, line = 0, {0: 65_535, 1: 65_535}, prefix + bytes(size - 1)
        with contextlib.suppress(Closed, TimeoutError):
            peer.send(call(1, PREDICT))
            while sent < len(line) and not over():
                part = line[sent : sent + min(16_384, *room.values())]
                if part:
                    peer.send(data(1, part))
                    sent += len(part)
                    room = {stream: left - len(part) for stream, left in room.items()}
                for each in peer.poll():
                    _take(peer, each.kind, each.flags, each.stream, each.payload, room)
        peers.append(peer)
    while not over():
        time.sleep(0.1)
    for peer in peers:
        peer.close()
    return f"{count} messages of {size} bytes"


def _take(
    peer: Peer, kind: int, flags: int, stream: int, payload: bytes, room: dict[int, int]
) -> None:
    """Notes what the server lets in, and answers its pings, on which its window grows."""
    if kind == 8:
        room[stream] += struct.unpack(">I", payload)[0]
    elif kind == PING and not flags & 1:
        peer.send(frame(PING, 0, payload, 1))
    elif kind == 4:
        for start in range(0, len(payload), 6):
            name, value = struct.unpack(">HI", payload[start : start + 6])
            if name == INITIAL_WINDOW_SIZE:
                room[1] += value - 65_535


def window_flood(address: str, seconds: float, count: int) -> str:
    """Window updates, a byte each."""
    return _flood(address, seconds, count, call(1, STREAM_LEARN), window(0, 1) * 100)


ATTACKS: dict[str, tuple[Attack, int]] = {
    "200 MB messages": (huge_messages, 1_000),
    "1 MB metadata": (huge_metadata, 2_000),
    "rapid resets": (rapid_resets, 40_000),
    "late resets": (late_resets, 40_000),
    "reset flood": (reset_flood, 100_000),
    "ping flood": (ping_flood, 100_000),
    "settings flood": (settings_flood, 100_000),
    "CONTINUATION flood": (continuation_flood, 100_000),
    "empty DATA flood": (empty_data_flood, 100_000),
    "window flood": (window_flood, 100_000),
    "silent sockets": (silent_sockets, 500),
    "slow readers": (slow_readers, 150),
    "idle streams": (idle_streams, 10_000),
    "unfinished calls": (unfinished_calls, 10_000),
    "unfinished messages": (unfinished_messages, 50),
}
"""Every attack, and how often it does what it does."""
