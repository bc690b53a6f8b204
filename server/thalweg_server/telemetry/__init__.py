"""What Prometheus is told: how wrong each model is, and how calls went."""

from thalweg_server.telemetry.calls import CallObserver, Calls

__all__ = ["CallObserver", "Calls"]
