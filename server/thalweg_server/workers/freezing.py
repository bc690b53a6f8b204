"""Records in a snapshot: bases once, lessons behind one another, the rest in columns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from thalweg_server.core.mixed import Numbered, freeze_json, thaw_json
from thalweg_server.core.observation import Context, Flavor
from thalweg_server.core.policy import Origin, Policy
from thalweg_server.core.storing import Sink, Source
from thalweg_server.workers.records import Base, Record

_FLAVORS = tuple(Flavor)


def freeze_records(
    records: Mapping[int, Record], next_slot: int, next_base: int, sink: Sink
) -> None:
    """Writes records; a base that the snapshot before has is not written again."""
    origins: Numbered[Origin] = Numbered()
    contexts: Numbered[tuple[Context, ...]] = Numbered()
    columns = [
        (
            slot,
            record.base.number,
            _FLAVORS.index(record.flavor),
            contexts.number(record.context),
            origins.number(record.origin),
            record.strikes,
            record.due,
            len(record.lessons),
        )
        for slot, record in records.items()
    ]
    lessons = [lesson for record in records.values() for lesson in record.lessons]
    bases = {record.base.number: record.base for record in records.values()}
    sink.array("records", np.array(columns, np.int64).reshape(-1, 8))
    sink.array("lengths", np.array([len(lesson) for lesson in lessons], np.int64))
    sink.data("lessons", b"".join(lessons))
    quarantined = {slot: each.quarantined for slot, each in records.items() if each.quarantined}
    facts = {
        "next_slot": next_slot,
        "next_base": next_base,
        "contexts": [[each.value for each in context] for context in contexts.values],
        "origins": [[each.policy.value, each.uploader] for each in origins.values],
        "bases": [[number, base.policy, base.strikes] for number, base in bases.items()],
        "quarantined": list(quarantined.items()),
    }
    freeze_json(sink, "facts", facts)
    for number, base in bases.items():  # a number is never another's: it names one base for ever
        sink.dump(str(number), 0, lambda base=base: base.payload)  # type: ignore[misc]


def thaw_records(source: Source) -> tuple[dict[int, Record], int, int]:
    """Records by slot, the next slot and the next base."""
    facts = thaw_json(source, "facts")
    bases = {n: Base(n, source.data(str(n)), *rest) for n, *rest in facts["bases"]}
    contexts = [tuple(map(Context, each)) for each in facts["contexts"]]
    origins = [Origin(Policy(policy), uploader) for policy, uploader in facts["origins"]]
    quarantined = dict(facts["quarantined"])
    lessons, records, at, begin = source.data("lessons"), {}, 0, 0
    lengths = source.array("lengths").tolist()
    for columns in source.array("records").tolist():
        slot, base, flavor, context, origin, strikes, due, count = columns
        record = Record(
            *(bases[base], _FLAVORS[flavor], contexts[context], origins[origin]),
            strikes=strikes,
            quarantined=quarantined.get(slot, ""),
            due=due,
        )
        for length in lengths[at : at + count]:
            record.learned(lessons[begin : begin + length])
            begin += length
        at += count
        records[slot] = record
    return records, facts["next_slot"], facts["next_base"]
