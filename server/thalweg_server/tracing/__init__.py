"""Traces and metrics over OTLP: nothing of OpenTelemetry is loaded before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from thalweg_server.core.service import Service

if TYPE_CHECKING:
    from thalweg_server.tracing.exporter import Exporter


class NoExporter(Exception):
    """An OTLP endpoint that nothing can be sent to as things are; one line that says why."""


def start_exporter(endpoint: str, service: Callable[[], Service]) -> Exporter:
    """Begins to send.

    Args:
        endpoint: URL of a collector that speaks OTLP over gRPC.
        service: gives the one whose sums are sent; there need not be one yet.

    Raises:
        NoExporter: the packages are missing, or that is no URL.
    """
    try:
        from thalweg_server.tracing.exporter import Exporter  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry"):
            raise
        raise NoExporter(
            "--otlp-endpoint needs OpenTelemetry's packages: pip install 'thalweg[otel]'"
        ) from error
    scheme, found, host = endpoint.partition("://")
    if scheme not in ("http", "https") or not found or not host or "@" in host:
        raise NoExporter(
            "--otlp-endpoint is no URL such as http://127.0.0.1:4317, without user and password "
            "(these go into OTEL_EXPORTER_OTLP_HEADERS)"
        )
    return Exporter(endpoint, service)
