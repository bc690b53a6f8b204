"""The floor under every call: a bare grpc.aio server that answers without a model."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any

import grpc

from thalweg.v1 import forecaster_pb2 as pb
from thalweg.v1 import forecaster_pb2_grpc

ANSWER = pb.PredictResponse(
    model="HOBBIES_1_001_CA_1",
    candidate="lm",
    prediction=pb.Prediction(value=0.8437),
    learned=28,
    learned_through="2016-05-22",
)
MIB = 1024 * 1024
OPENED = pb.StreamOpened(max_batch_rows=100_000, max_batch_bytes=64 * MIB, max_inflight_batches=8)


class Echo(forecaster_pb2_grpc.ForecasterServicer):
    """Predict and StreamLearn, without a model."""

    async def Predict(self, request: pb.PredictRequest, context: Any) -> pb.PredictResponse:
        """Answers at once."""
        return ANSWER

    async def StreamLearn(
        self, requests: AsyncIterator[pb.StreamLearnRequest], context: Any
    ) -> AsyncIterator[pb.StreamLearnResponse]:
        """Acks every batch as learned."""
        yield pb.StreamLearnResponse(opened=OPENED)
        await anext(requests)
        async for request in requests:
            rows = len(request.columns.target) or len(request.rows.rows)
            ack = pb.StreamAck(
                sequence=request.sequence, applied_sequence=request.sequence, learned=rows
            )
            yield pb.StreamLearnResponse(ack=ack)


async def serve() -> None:
    """Serves until the process ends; prints its port first."""
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", 65 * MIB)])
    echo = Echo()  # type: ignore[abstract]  # nobody calls the other rpcs
    forecaster_pb2_grpc.add_ForecasterServicer_to_server(echo, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


@contextmanager
def echoing() -> Iterator[str]:
    """The echo in a process of its own; gives its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.echo"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        yield f"127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    asyncio.run(serve())
