"""Events as bytes and back: a JSON header, then the bytes of arrays and payloads, packed by zlib.

Floats keep their bits; int, float, bool, str and None stay apart.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from thalweg_server.core.events import (
    Deleted,
    Event,
    Initialised,
    Learned,
    Predicted,
    Quarantined,
    Raised,
    Started,
    Streamed,
    Uploaded,
)
from thalweg_server.core.observation import Batch, Context, Flavor, Names, Question
from thalweg_server.core.policy import Origin, Policy
from thalweg_server.storage.arrays import Packer, Unpacker
from thalweg_server.storage.batches import NAMES_INLINE_MAX, Header, pack_batch, unpack_batch

ZLIB_BYTES_MIN = 512
"""Below this packing saves less than it costs."""

ZLIB_LEVEL = 1
"""The fastest: a batch is packed on its way to an acknowledgement."""

_PLAIN, _PACKED = b"\x00", b"\x01"
_JSON = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":"))
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True, slots=True)
class Encoded:
    """An event as the log keeps it.

    Args:
        kind: which event it is, by number.
        body: everything else, but
        names: a list of names to be stored apart; None where there is none, or a short one.
    """

    kind: int
    body: bytes
    names: Names | None = None


def encode(event: Event) -> Encoded:
    """The event as bytes."""
    kind = _KINDS[type(event)]
    packer = Packer()
    header = _WRITERS[kind](event, packer)
    text = to_json(header)
    body = b"".join((_LENGTH.pack(len(text)), text, *packer.chunks))
    return Encoded(kind, pack(body), _long_names(event))


def decode(kind: int, body: bytes, names: Names | None) -> Event:
    """The event again.

    Args:
        kind: its number.
        body: its bytes.
        names: the list that was stored apart, if any.
    """
    data = unpack(body)
    (length,) = _LENGTH.unpack_from(data)
    start = _LENGTH.size + length
    header = json.loads(data[_LENGTH.size : start])
    return _READERS[kind](header, Unpacker(data, start), names)


def pack(data: bytes) -> bytes:
    """Bytes packed by zlib where that makes them fewer."""
    if len(data) >= ZLIB_BYTES_MIN:
        packed = zlib.compress(data, ZLIB_LEVEL)
        if len(packed) < len(data):
            return _PACKED + packed
    return _PLAIN + data


def unpack(data: bytes) -> bytes:
    """What `pack` was given."""
    return zlib.decompress(data[1:]) if data[:1] == _PACKED else data[1:]


def to_json(value: Any) -> bytes:
    """JSON, in UTF-8, that `json.loads` reads as the same value."""
    # A lone surrogate is no UTF-8, but `json.loads` reads it this way.
    return _JSON.encode(value).encode("utf-8", "surrogatepass")


def _long_names(event: Event) -> Names | None:
    if not isinstance(event, Learned | Streamed):
        return None
    names = event.batch.names
    return names if len(names) > NAMES_INLINE_MAX else None


def _write_started(event: Started, _: Packer) -> Header:
    return {"limits": dict(event.limits), "versions": dict(event.versions)}


def _read_started(header: Header, _: Unpacker, __: Names | None) -> Started:
    return Started(header["limits"], header["versions"])


def _write_initialised(event: Initialised, _: Packer) -> Header:
    return {"flavor": event.flavor.value, "reset": event.reset}


def _read_initialised(header: Header, _: Unpacker, __: Names | None) -> Initialised:
    return Initialised(Flavor(header["flavor"]), header["reset"])


def _write_uploaded(event: Uploaded, packer: Packer) -> Header:
    packer.chunks.append(event.payload)
    return {
        "model": event.model,
        "candidate": event.candidate,
        "template": event.template,
        "replace": event.replace,
        "apply_to_existing": event.apply_to_existing,
        "context": [each.value for each in event.context],
        "policy": event.origin.policy.value,
        "uploader": event.origin.uploader,
    }


def _read_uploaded(header: Header, unpacker: Unpacker, _: Names | None) -> Uploaded:
    context = tuple(Context(each) for each in header.pop("context"))
    # An upload from before there were policies was loaded by dill.
    policy = Policy(header.pop("policy", Policy.TRUSTED))
    origin = Origin(policy, header.pop("uploader", ""))
    payload = unpacker.data[unpacker.offset :]
    return Uploaded(payload=payload, context=context, origin=origin, **header)


def _write_quarantined(event: Quarantined, _: Packer) -> Header:
    return {
        "model": event.model,
        "candidate": event.candidate,
        "template": event.template,
        "reason": event.reason,
    }


def _read_quarantined(header: Header, _: Unpacker, __: Names | None) -> Quarantined:
    return Quarantined(**header)


def _write_deleted(event: Deleted, _: Packer) -> Header:
    return {"model": event.model, "candidate": event.candidate, "template": event.template}


def _read_deleted(header: Header, _: Unpacker, __: Names | None) -> Deleted:
    return Deleted(**header)


def _write_predicted(event: Predicted, _: Packer) -> Header:
    asked = event.question
    return {
        "id": event.prediction_id,
        "at": event.at,
        "question": (asked.model, asked.day, asked.features),
    }


def _read_predicted(header: Header, _: Unpacker, __: Names | None) -> Predicted:
    return Predicted(header["id"], Question(*header["question"]), header["at"])


def _write_learned(event: Learned, packer: Packer) -> Header:
    return {"at": event.at, "batch": pack_batch(event.batch, packer)}


def _read_learned(header: Header, unpacker: Unpacker, names: Names | None) -> Learned:
    return Learned(_batch(header, unpacker, names), header["at"])


def _write_streamed(event: Streamed, packer: Packer) -> Header:
    return {
        "at": event.at,
        "stream_id": event.stream_id,
        "sequence": event.sequence,
        "skip_learned_dates": event.skip_learned_dates,
        "epoch": event.epoch,
        "batch": pack_batch(event.batch, packer),
    }


def _read_streamed(header: Header, unpacker: Unpacker, names: Names | None) -> Streamed:
    return Streamed(batch=_batch(header, unpacker, names), **header)


def _write_raised(event: Raised, _: Packer) -> Header:
    return {"position": event.position, "errors": list(event.errors.items())}


def _read_raised(header: Header, _: Unpacker, __: Names | None) -> Raised:
    return Raised(header["position"], dict(header["errors"]))


def _batch(header: Header, unpacker: Unpacker, names: Names | None) -> Batch:
    return unpack_batch(header.pop("batch"), unpacker, names)


_Writer = Callable[[Any, Packer], Header]
_Reader = Callable[[Header, Unpacker, Names | None], Event]

# The numbers are in every log: never give one to another event.
_CODECS: tuple[tuple[int, type, _Writer, _Reader], ...] = (
    (1, Started, _write_started, _read_started),
    (2, Initialised, _write_initialised, _read_initialised),
    (3, Uploaded, _write_uploaded, _read_uploaded),
    (4, Deleted, _write_deleted, _read_deleted),
    (5, Predicted, _write_predicted, _read_predicted),
    (6, Learned, _write_learned, _read_learned),
    (7, Streamed, _write_streamed, _read_streamed),
    (8, Raised, _write_raised, _read_raised),
    (9, Quarantined, _write_quarantined, _read_quarantined),
)
_KINDS: Mapping[type, int] = MappingProxyType({event: kind for kind, event, _, _ in _CODECS})
_WRITERS: Mapping[int, _Writer] = MappingProxyType({kind: write for kind, _, write, _ in _CODECS})
_READERS: Mapping[int, _Reader] = MappingProxyType({kind: read for kind, _, _, read in _CODECS})
