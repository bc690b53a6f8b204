"""People with the live page open: a process that reads what their browsers would.

    python -m bench.viewers URL COUNT MODEL ...

Each viewer has the stream of events open, and asks for a model every five seconds. Says
"watching" when all are there, and, when its stdin ends, how many bytes and models came.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time
import urllib.request
from urllib.parse import quote, urlsplit

ASK_SECONDS = 5.0
"""As the page does for the model that is open."""


def main() -> None:
    """Watches until stdin ends."""
    url, count, models = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    place = urlsplit(url)
    waiting = selectors.DefaultSelector()
    for _ in range(count):
        viewer = socket.create_connection((place.hostname, place.port))
        viewer.sendall(b"GET /events HTTP/1.1\r\nHost: bench\r\n\r\n")
        waiting.register(viewer, selectors.EVENT_READ)
    waiting.register(sys.stdin, selectors.EVENT_READ)
    print("watching", flush=True)
    received = asked = 0
    due = [time.monotonic() + n * ASK_SECONDS / count for n in range(count)]
    while True:
        for key, _ in waiting.select(0.1):
            if key.fileobj is sys.stdin:
                print(json.dumps({"bytes": received, "models": asked}), flush=True)
                return
            assert isinstance(key.fileobj, socket.socket)
            part = key.fileobj.recv(1 << 20)
            assert part, "a stream has ended"
            received += len(part)
        for n in (n for n in range(count) if time.monotonic() > due[n]):
            due[n] += ASK_SECONDS
            with urllib.request.urlopen(
                f"{url}/api/models/{quote(models[n % len(models)])}"
            ) as page:
                page.read()
            asked += 1


if __name__ == "__main__":
    main()
