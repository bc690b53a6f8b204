"""HTTP connections that are not waited for: silent ones, slow requests, readers that stop reading.

Uvicorn bounds how long a connection may be idle between requests, and nothing else.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from thalweg_server.config import WebLimits


def patient_protocol(limits: WebLimits) -> type[asyncio.Protocol]:
    """The protocol of HTTP connections that end where these limits say."""

    class Patient(H11Protocol):
        _request: asyncio.TimerHandle | None = None
        _stall: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            if len(self.connections) > 2 * limits.connections_max:
                transport.abort()  # even saying no takes a request read
                return
            self._await_request()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self.cycle is not None and not self.cycle.response_complete:
                self._stop_waiting()  # the request is there
            elif self._request is None and not self.transport.is_closing():
                self._await_request()

        def on_response_complete(self) -> None:
            # Before: the rest of the next request may be there already, and is looked at in here.
            self._stop_waiting()
            super().on_response_complete()

        def pause_writing(self) -> None:
            super().pause_writing()
            self._stall = self.loop.call_later(limits.stall_seconds_max, self.transport.abort)

        def resume_writing(self) -> None:
            super().resume_writing()
            if self._stall is not None:
                self._stall.cancel()
                self._stall = None

        def _await_request(self) -> None:
            self._request = self.loop.call_later(limits.request_seconds_max, self.transport.abort)

        def _stop_waiting(self) -> None:
            if self._request is not None:
                self._request.cancel()
                self._request = None

        def _forget(self) -> None:
            self._stop_waiting()
            if self._stall is not None:
                self._stall.cancel()
                self._stall = None

    return Patient
