"""The ledger in a snapshot: a million ids in columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

import numpy as np

from thalweg_server.core.ledger import Done, Ledger, Pending
from thalweg_server.core.mixed import (
    Numbered,
    freeze_floats,
    freeze_integers,
    freeze_json,
    freeze_mixed,
    thaw_floats,
    thaw_integers,
    thaw_json,
    thaw_mixed,
)
from thalweg_server.core.observation import Features, Question
from thalweg_server.core.ports import Answer
from thalweg_server.core.prefixed import PrefixedSink, PrefixedSource
from thalweg_server.core.storing import Sink, Source

Entries = Mapping[str, Pending | Done]

NONE = -1
"""Stands for a number of values where there are none to count."""


def freeze_ledger(ledger: Ledger, sink: Sink) -> None:
    """Writes all ids, in the order in which they expire."""
    _freeze_entries(ledger.predictions, PrefixedSink(sink, "predictions/"))
    _freeze_entries(ledger.requests, PrefixedSink(sink, "requests/"))
    pending = [each for each in ledger.predictions.values() if isinstance(each, Pending)]
    _freeze_questions([each.question for each in pending], PrefixedSink(sink, "questions/"))
    freeze_integers(sink, "asked", (len(each.answers) for each in pending))
    freeze_integers(sink, "uploads", (upload for each in pending for upload in each.answers))
    answers = [answer for each in pending for answer in each.answers.values()]
    _freeze_answers(answers, PrefixedSink(sink, "answers/"))


def thaw_ledger(ledger: Ledger, source: Source) -> None:
    """Puts back what `freeze_ledger` wrote."""
    questions = _thaw_questions(PrefixedSource(source, "questions/"))
    uploads = iter(thaw_integers(source, "uploads"))
    answers = iter(_thaw_answers(PrefixedSource(source, "answers/")))
    asked = thaw_integers(source, "asked")
    given = iter([dict(zip(islice(uploads, n), islice(answers, n), strict=True)) for n in asked])
    questioned = iter(questions)
    predictions: dict[str, Pending | Done] = {}
    for name, model, at, done in _thaw_entries(PrefixedSource(source, "predictions/")):
        entry = Done(model, at) if done else Pending(next(questioned), next(given), at)
        predictions[name] = entry
    requests = _thaw_entries(PrefixedSource(source, "requests/"))
    ledger.restore(predictions, {name: Done(model, at) for name, model, at, _ in requests})


def _freeze_entries(entries: Entries, sink: Sink) -> None:
    names: Numbered[str] = Numbered()
    freeze_json(sink, "ids", list(entries))
    freeze_floats(sink, "at", (each.at for each in entries.values()))
    done = [each for each in entries.values() if isinstance(each, Done)]
    freeze_integers(sink, "models", (names.number(each.model) for each in done))
    freeze_json(sink, "names", names.values)
    kinds = (isinstance(each, Done) for each in entries.values())
    sink.array("done", np.fromiter(kinds, np.bool_, len(entries)))


def _thaw_entries(source: Source) -> Iterator[tuple[str, str, float, bool]]:
    """Ids, the model of what is done, when, and whether it is."""
    names = thaw_json(source, "names")
    models = iter([names[number] for number in thaw_integers(source, "models")])
    ids, times = thaw_json(source, "ids"), thaw_floats(source, "at")
    for name, at, done in zip(ids, times, source.array("done").tolist(), strict=True):
        yield name, next(models) if done else "", at, done


def _freeze_questions(questions: list[Question], sink: Sink) -> None:
    names: Numbered[str] = Numbered()
    shapes: Numbered[tuple[str, ...]] = Numbered()
    texts = [each.features for each in questions if isinstance(each.features, str)]
    rows = [each.features for each in questions if not isinstance(each.features, str)]
    freeze_integers(sink, "models", (names.number(each.model) for each in questions))
    freeze_json(sink, "names", names.values)
    freeze_integers(sink, "days", (each.day for each in questions))
    keys = (
        NONE if isinstance(each.features, str) else shapes.number(tuple(each.features))
        for each in questions
    )
    freeze_integers(sink, "shapes", keys)
    freeze_json(sink, "keys", shapes.values)
    freeze_json(sink, "texts", texts)
    freeze_mixed(sink, "values", [value for row in rows for value in row.values()])


def _thaw_questions(source: Source) -> list[Question]:
    names, keys = thaw_json(source, "names"), thaw_json(source, "keys")
    texts, values = iter(thaw_json(source, "texts")), iter(thaw_mixed(source, "values"))

    def features(shape: int) -> Features:
        if shape == NONE:
            text: str = next(texts)
            return text
        return dict(zip(keys[shape], islice(values, len(keys[shape])), strict=True))

    columns = [thaw_integers(source, each) for each in ("models", "days", "shapes")]
    return [
        Question(names[model], day, features(shape))
        for model, day, shape in zip(*columns, strict=True)
    ]


def _freeze_answers(answers: list[Answer], sink: Sink) -> None:
    errors: Numbered[str] = Numbered()
    freeze_mixed(sink, "values", [each.value for each in answers])
    freeze_mixed(sink, "labels", [each.label for each in answers])
    freeze_integers(sink, "errors", (errors.number(each.error) for each in answers))
    freeze_json(sink, "texts", errors.values)
    given = [each.probabilities for each in answers]
    freeze_integers(sink, "counts", (NONE if each is None else len(each) for each in given))
    pairs = [pair for each in given for pair in (each or {}).items()]
    freeze_mixed(sink, "classes", [label for label, _ in pairs])
    freeze_floats(sink, "probabilities", (probability for _, probability in pairs))


def _thaw_answers(source: Source) -> list[Answer]:
    texts = thaw_json(source, "texts")
    errors = [texts[number] for number in thaw_integers(source, "errors")]
    classes, weights = thaw_mixed(source, "classes"), thaw_floats(source, "probabilities")
    pairs = iter(zip(classes, weights, strict=True))
    probabilities = [
        None if count == NONE else dict(islice(pairs, count))
        for count in thaw_integers(source, "counts")
    ]
    values, labels = thaw_mixed(source, "values"), thaw_mixed(source, "labels")
    return [Answer(*each) for each in zip(values, labels, probabilities, errors, strict=True)]
