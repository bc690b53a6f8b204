"""`thalweg health`: what a container's health check or a script asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from thalweg.cli import output
from thalweg.cli.connection import client_command
from thalweg.cli.group import Failure

if TYPE_CHECKING:
    from thalweg import Client

CHECK = "/grpc.health.v1.Health/Check"
SERVING = b"\x08\x01"
"""HealthCheckResponse(status=SERVING) on the wire: two bytes, not worth a dependency."""


@client_command()
@output.json_option
def health(client: Client, as_json: bool) -> None:
    """Ask whether the server takes calls.

    Asks grpc.health.v1, as a load balancer does; exit code 0 if the server is SERVING.
    """
    import grpc  # noqa: PLC0415 - gRPC takes longer to load than --help

    from thalweg.status import from_rpc  # noqa: PLC0415
    from thalweg.transport import open_channel  # noqa: PLC0415

    with open_channel(client) as channel:
        try:
            check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(CHECK)
            answer = check(b"", timeout=client.timeout, metadata=client.metadata())
        except grpc.RpcError as error:
            raise from_rpc(error) from None
    if answer != SERVING:
        raise Failure(f"{client.target} is not serving: it starts, or shuts down")
    if as_json:
        output.print_json({"serving": True})
    else:
        click.echo("serving")
