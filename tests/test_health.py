"""Health and reflection, which need no Init."""

from __future__ import annotations

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.conftest import Connect, StartServer
from tests.wire import SECONDS, Wire
from thalweg.v1 import forecaster_pb2 as pb

SERVING = health_pb2.HealthCheckResponse.SERVING
SERVICE = "thalweg.v1.Forecaster"


@pytest.fixture
def uninitialised(start_server: StartServer, connect: Connect) -> Wire:
    """A server before Init."""
    return connect(start_server(flavor=None))


@pytest.mark.parametrize("service", ["", SERVICE])
def test_a_server_serves_before_init(service: str, uninitialised: Wire) -> None:
    """Check and watch, of the whole server and of the service."""
    health = health_pb2_grpc.HealthStub(uninitialised.channel)
    request = health_pb2.HealthCheckRequest(service=service)
    assert health.Check(request, timeout=SECONDS).status == SERVING
    watch = health.Watch(request, timeout=SECONDS)
    assert next(watch).status == SERVING
    watch.cancel()


def test_the_health_of_a_strange_service_is_not_found(uninitialised: Wire) -> None:
    """As the health protocol says."""
    health = health_pb2_grpc.HealthStub(uninitialised.channel)
    with pytest.raises(grpc.RpcError) as raised:
        health.Check(health_pb2.HealthCheckRequest(service="nix"), timeout=SECONDS)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND


def reflected(wire: Wire, **request: str) -> reflection_pb2.ServerReflectionResponse:
    """Ask the reflection service."""
    stub = reflection_pb2_grpc.ServerReflectionStub(wire.channel)
    asked = iter([reflection_pb2.ServerReflectionRequest(**request)])
    return next(iter(stub.ServerReflectionInfo(asked, timeout=SECONDS)))


def test_reflection_lists_the_services(uninitialised: Wire) -> None:
    """So that `buf curl` and grpcurl need no .proto."""
    listed = reflected(uninitialised, list_services="*").list_services_response.service
    assert {s.name for s in listed} >= {SERVICE, "grpc.health.v1.Health"}


def test_reflection_describes_the_contract(uninitialised: Wire) -> None:
    """The very descriptor of the generated code."""
    response = reflected(uninitialised, file_containing_symbol=SERVICE)
    files = response.file_descriptor_response.file_descriptor_proto
    assert pb.DESCRIPTOR.serialized_pb in files
