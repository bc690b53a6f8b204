"""What is sent in one step: a function of seed, flavor and the step's number alone."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

from google.protobuf.message import Message

from tests.fuzzing.damage import damaged, damaged_pickle
from tests.fuzzing.estimators import X, payloads
from tests.fuzzing.methods import Answer, Call
from tests.fuzzing.mutation import encoded, mutate
from tests.fuzzing.seeds import DAY, TARGETS, seeds
from tests.wire import row, values
from thalweg.v1 import forecaster_pb2 as pb

Ask = Callable[[Call], Answer]

METHODS = {
    "Predict": 30,
    "Learn": 25,
    "StreamLearn": 20,
    "PredictMany": 8,
    "UploadModel": 6,
    "GetModel": 3,
    "ListModels": 5,
    "DownloadModel": 3,
    "DeleteModel": 1,
    "WatchScores": 1,
    "Init": 0.1,
}
"""How often each rpc has its turn: Init wipes everything, and WatchScores takes its time."""

UPLOAD_SHARE = 0.08
"""Steps that upload a damaged estimator, and use what was accepted."""
MESSAGE_BYTES_MAX = 4 << 20
"""Larger ones only take longer; what is too large for gRPC itself is for the tests of abuse."""
STREAM_BYTES_MAX = 1 << 17
"""Of a stream's messages, whose rows are learned one by one."""
NAMES = 40
"""Models that these are uploaded as, in turn."""


class Steps:
    """All steps of one flavor.

    Args:
        seed: of all chance.
        flavor: the server's.
    """

    def __init__(self, seed: int, flavor: str) -> None:
        self._seed = seed
        self._flavor = flavor
        self._seeds = seeds(flavor)
        self._good = payloads(flavor)
        self._encoded = [encoded(each) for some in self._seeds.values() for each in some]

    def run(self, number: int, ask: Ask) -> None:
        """Make the calls of one step."""
        source = random.Random(f"{self._seed}/{self._flavor}/{number}")
        if source.random() < UPLOAD_SHARE:
            self._upload(source, ask)
        else:
            ask(self._message(source))

    def _message(self, source: random.Random) -> Call:
        method = source.choices(list(METHODS), list(METHODS.values()))[0]
        if method == "StreamLearn":
            return Call(method, tuple(self._stream(source)))
        return Call(method, (self._changed(source.choice(self._seeds[method]), source),))

    def _stream(self, source: random.Random) -> Iterator[bytes]:
        """Mostly in order, and mostly good: a stream ends with its first bad message."""
        messages = deepcopy(self._seeds["StreamLearn"])
        if source.random() < 0.8:  # of an id of its own, or else all batches are known already
            opening: Any = messages[0]
            opening.open.stream_id = source.choice(("", f"s-{source.randrange(100)}"))
        for _ in range(source.choice((0, 0, 0, 1, 2))):
            at = source.randrange(len(messages))
            how = source.randrange(3)
            if how == 0:
                messages.insert(at, deepcopy(source.choice(messages)))
            elif how == 1 and len(messages) > 1:
                del messages[at]
            else:
                source.shuffle(messages)
        for message in messages:
            yield self._changed(message, source) if source.random() < 0.4 else encoded(message)

    def _changed(self, message: Message, source: random.Random) -> bytes:
        given, message = message, deepcopy(message)
        how = source.random()
        if how < 0.6:
            mutate(message, source)
        most = STREAM_BYTES_MAX if isinstance(message, pb.StreamLearnRequest) else MESSAGE_BYTES_MAX
        data = encoded(message if message.ByteSize() <= most else given)
        if 0.45 < how < 0.9:  # some are changed both ways, some not at all
            data = damaged(data, self._encoded, source)
        return data

    def _upload(self, source: random.Random, ask: Ask) -> None:
        payload = source.choice(self._good)
        if source.random() < 0.95:
            payload = damaged_pickle(payload, self._good, source)
        name = f"up-{source.randrange(NAMES)}"
        request = pb.UploadModelRequest(
            model=name,
            payload=payload,
            replace=source.random() < 0.8,
            context=[pb.CONTEXT_FIELD_DATE],
        )
        if ask(_call("UploadModel", request)).ok:
            for call in self._uses(name):
                ask(call)
            if source.random() < 0.7:
                ask(_call("DeleteModel", pb.DeleteModelRequest(model=name)))

    def _uses(self, name: str) -> Iterator[Call]:
        """All that an upload may break, and once more after it has learned."""
        question = pb.PredictRequest(model=name, date=DAY, features=values(X))
        for target in TARGETS[self._flavor]:
            yield _call("Predict", question)
            yield _call("Learn", row(name, target, X, date=DAY))
        yield _call("GetModel", pb.GetModelRequest(model=name))
        yield _call("DownloadModel", pb.DownloadModelRequest(model=name))
        yield _call("Predict", question)


def _call(method: str, request: Message) -> Call:
    return Call(method, (request.SerializeToString(deterministic=True),))
