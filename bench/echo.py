"""The floor under every unary call: a bare grpc.aio server that answers with a fixed message."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
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


class Echo(forecaster_pb2_grpc.ForecasterServicer):
    """Predict, without a model."""

    async def Predict(self, request: pb.PredictRequest, context: Any) -> pb.PredictResponse:
        """Answers at once."""
        return ANSWER


async def serve() -> None:
    """Serves until the process ends; prints its port first."""
    server = grpc.aio.server()
    forecaster_pb2_grpc.add_ForecasterServicer_to_server(Echo(), server)
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
