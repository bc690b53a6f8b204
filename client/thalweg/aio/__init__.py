"""The asyncio client: `thalweg.aio.Client` does what `thalweg.Client` does, awaited."""

from thalweg.aio.client import Client

__all__ = ["Client"]
