"""Where a server's calls are told, beside its metrics: its log, and a collector of traces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from thalweg_server.config import Config
from thalweg_server.core.service import Service
from thalweg_server.endings import Ended, log_ended
from thalweg_server.logs import log
from thalweg_server.tracing import start_exporter


class Outlets:
    """What the settings ask for; both cost calls nothing where that is nothing.

    Args:
        config: the server's settings.
        service: gives its service; there need not be one yet.

    Attributes:
        told: who is told of each call that ended.

    Raises:
        NoExporter: traces are asked for, and cannot be sent.
    """

    def __init__(self, config: Config, service: Callable[[], Service]) -> None:
        self._config = config
        self._service = service
        self.told: Sequence[Callable[[Ended], None]] = ()
        endpoint = config.otlp_endpoint
        self._exporter = start_exporter(endpoint, service) if endpoint else None
        if self._exporter is not None:
            self.told = (self._exporter.ended,)
        if config.log_level == "debug":
            self.told = (*self.told, log_ended)

    def started(self, port: int, metrics_port: int) -> None:
        """Says where the server listens and what it holds; there is a service now."""
        if self._exporter is not None:
            self._exporter.start()
        config, service = self._config, self._service()
        log().info(
            "started",
            address=f"{config.host}:{port}",
            metrics_address=f"{config.metrics_host}:{metrics_port}",
            flavor=service.flavor.value if service.flavor else None,
            models=len(service.registry.models),
            storage=service.store.name,
        )

    def close(self) -> None:
        """Sends what is left; takes two seconds at most."""
        if self._exporter is not None:
            self._exporter.close()
