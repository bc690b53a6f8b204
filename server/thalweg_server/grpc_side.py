"""The gRPC side: the service, health and reflection on one port."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from thalweg.v1 import forecaster_pb2, forecaster_pb2_grpc
from thalweg_server.rpc.servicer import Forecaster

SERVICE = forecaster_pb2.DESCRIPTOR.services_by_name["Forecaster"].full_name


class GrpcSide:
    """Health is answered from the start, and says so where the service is not.

    Args:
        forecaster: the service.
        interceptors: what every call goes through, the outermost first.
        options: what gRPC itself is told to bound.
    """

    def __init__(
        self,
        forecaster: Forecaster,
        interceptors: Sequence[grpc.aio.ServerInterceptor],
        options: Sequence[tuple[str, int]],
    ) -> None:
        self._health = health.aio.HealthServicer()
        self._server = grpc.aio.server(interceptors=interceptors, options=options)
        forecaster_pb2_grpc.add_ForecasterServicer_to_server(forecaster, self._server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        reflection.enable_server_reflection(
            (SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), self._server
        )

    async def bind(self, open_port: Callable[[grpc.aio.Server], int]) -> int:
        """Has a port opened for it, and returns its number; not ready yet."""
        await self.report(ready=False)
        return open_port(self._server)

    async def start(self) -> None:
        """Takes calls."""
        await self._server.start()

    async def report(self, *, ready: bool) -> None:
        """Tells health."""
        answer = health_pb2.HealthCheckResponse
        for service in ("", SERVICE):
            await self._health.set(service, answer.SERVING if ready else answer.NOT_SERVING)

    async def stop(self) -> None:
        """Takes no more calls, and gives those that are under way a second."""
        await self._server.stop(grace=1.0)
