"""What must be true of a server that was killed under load, and of what its clients were told."""

from __future__ import annotations

from collections import Counter, defaultdict

import thalweg
from tests.crash.load import BATCH_ROWS, PENDING, Load, Told
from tests.crash.reference import MODELS, Reference, best, same, values


def lost(load: Load, client: thalweg.Client, acknowledged: Counter[str]) -> list[str]:
    """Models that have learned less than was acknowledged at some time."""
    found = {model: client.get_model(model).learned for model in acknowledged}
    return [
        f"{model}: {count} observations were acknowledged, {found[model]} are learned"
        for model, count in acknowledged.items()
        if found[model] < count
    ]


def differences(load: Load, client: thalweg.Client) -> list[str]:
    """All that the server or its replies say otherwise than River."""
    models = {name: Reference(name) for name in MODELS}
    found = _check_acks(load) + _learn_both(load, models["both"], client)
    found += _learn_streamed(load, models)
    for told in load.unary:
        if told.row.model == "unary":
            found += _replied(told, models["unary"].learn(told.row), models["unary"].learned)
    found += _learn_labelled(load, models["labelled"])
    for reference in models.values():
        found += reference.differences(client)
    return found


def _check_acks(load: Load) -> list[str]:
    found = []
    if [ack.sequence for ack in load.acks] != list(range(1, load.batches + 1)):
        found.append(f"{load.batches} batches were sent, {len(load.acks)} were acknowledged")
    for ack in load.acks:
        learned, duplicates = (0, BATCH_ROWS) if ack.resumed else (BATCH_ROWS, 0)
        if (ack.learned, ack.duplicates, ack.error_count) != (learned, duplicates, 0):
            found.append(f"batch {ack.sequence} has {ack}")
    return found


def _learn_streamed(load: Load, models: dict[str, Reference]) -> list[str]:
    found = []
    for number, ack in enumerate(load.acks):
        for place, row in enumerate(load.rows(number)):
            if row.model == "both":  # see below
                continue
            reference = models[row.model]
            ranking = reference.ranking
            expected = best(reference.learn(row), ranking)
            if not ack.resumed and not same(ack.predictions[place], expected):
                said = ack.predictions[place]
                found.append(f"{row} was predicted as {said}, by River as {expected}")
    return found


def _learn_both(load: Load, reference: Reference, client: thalweg.Client) -> list[str]:
    """Teaches what two clients taught, in the order in which the server remembers it."""
    streamed = [row for row in load.acked() if row.model == "both"]
    unary = [told.row for told in load.unary if told.row.model == "both"]
    rows = {row.target: row for row in (*streamed, *unary)}
    memory = client.download_model("both", candidate="memory", load=True)
    order = [target for _, target in memory.seen]
    found = []
    for sent in (streamed, unary):
        targets = [row.target for row in sent]
        if [target for target in order if target in set(targets)] != targets:
            found.append("both: the rows of a client are not learned once and in order")
    if len(order) != len(rows):
        found.append(f"both: {len(rows)} rows were sent, {len(order)} learned")
    for target in order:
        reference.learn(rows[target])
    return found


def _learn_labelled(load: Load, reference: Reference) -> list[str]:
    """Each is predicted before the ones that waited then are learned."""
    found: list[str] = []
    answers: dict[int, dict[str, float]] = defaultdict(dict)
    asked = 0
    for number, told in enumerate(load.labelled):
        while asked < min(number + PENDING, len(load.labelled)):
            row = load.labelled[asked].row
            answers[asked] = reference.predict(row.features, row.date)
            assert load.labelled[asked].asked is not None
            said = values(load.labelled[asked].asked.candidates)
            if said != answers[asked]:
                found.append(f"{row} was answered {said}, by River {answers[asked]}")
            asked += 1
        scored = reference.learn(told.row, answers[number])
        found += _replied(told, scored, reference.learned)
    return found


def _replied(told: Told, scored: dict[str, float], learned: int) -> list[str]:
    """What a reply says otherwise; that of a duplicate says less."""
    if told.answer.duplicate:
        return []
    said = values(told.answer.candidates), told.answer.learned
    return [] if said == (scored, learned) else [f"{told.row}: {said}, River {scored}, {learned}"]
