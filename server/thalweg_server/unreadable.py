"""Requests that are no message: the caller's mistake, which gRPC would report as the server's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.message import DecodeError

from thalweg_server.core.errors import BadRequest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands for a request that could not be decoded.

    Args:
        why: in protobuf's words.
    """

    why: str


def reader(decode: Callable[[bytes], T]) -> Callable[[bytes], T | Unreadable]:
    """The same decoder; what it cannot decode becomes an Unreadable, which a handler can refuse."""

    def read(data: bytes) -> T | Unreadable:
        try:
            return decode(data)
        except DecodeError as error:
            return Unreadable(str(error))

    return read


def check_readable(request: Any) -> None:
    """Raises BadRequest for an Unreadable."""
    if request.__class__ is Unreadable:
        raise BadRequest(
            f"the request could not be decoded ({request.why}): encode it by the contract, "
            "texts as UTF-8"
        )


async def readable(requests: AsyncIterator[T | Unreadable]) -> AsyncIterator[T]:
    """The same requests; raises BadRequest at the first Unreadable."""
    async for request in requests:
        check_readable(request)
        yield request  # type: ignore[misc]  # an Unreadable is refused above
