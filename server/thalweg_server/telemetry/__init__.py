"""What Prometheus is told: how wrong each model is, and how calls went."""

from thalweg_server.telemetry.calls import CallObserver
from thalweg_server.telemetry.durability import Durability, Snapshot
from thalweg_server.telemetry.exporter import Telemetry
from thalweg_server.telemetry.serving import Serving, Streams
from thalweg_server.telemetry.text import CONTENT_TYPE

__all__ = [
    "CONTENT_TYPE",
    "CallObserver",
    "Durability",
    "Serving",
    "Snapshot",
    "Streams",
    "Telemetry",
]
