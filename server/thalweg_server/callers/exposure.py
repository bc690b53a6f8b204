"""Whether other machines can reach a server that does not know its callers."""

from __future__ import annotations

import socket
from ipaddress import ip_address

from thalweg_server.callers.problems import Unusable
from thalweg_server.config import Config

WAY_OUT = "or bind to 127.0.0.1, or accept the risk with --allow-insecure-bind"


def check_exposure(config: Config) -> list[str]:
    """Refuses addresses that others reach where not everything is locked.

    Returns:
        what is open all the same, because the settings allow it: one line each.

    Raises:
        Unusable: something is open, and the settings do not allow it.
    """
    problems = list(_open_doors(config))
    if problems and not config.allow_insecure_bind:
        raise Unusable(f"{'; '.join(problems)}; {WAY_OUT}")
    return problems


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; a name counts by all of its addresses."""
    host = host.strip().removeprefix("[").removesuffix("]")
    try:
        return ip_address(host).is_loopback
    except ValueError:
        pass
    try:
        found = socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=_PASSIVE)
    except OSError:
        return False
    return all(ip_address(str(each[4][0]).partition("%")[0]).is_loopback for each in found)


_PASSIVE = socket.AI_PASSIVE  # no host at all is every address, as for a listener


def _open_doors(config: Config) -> list[str]:
    doors = []
    if not is_loopback(config.host):
        missing = []
        if config.tls_cert is None:
            missing.append("--tls-cert and --tls-key")
        if config.tokens is None:
            missing.append("--tokens (`thalweg token new` makes one)")
        if missing:
            doors.append(
                f"--host {config.host} can be reached by other machines, and nobody is to "
                f"call from there without TLS and a token: give {', and '.join(missing)}"
            )
    if not is_loopback(config.metrics_host) and config.metrics_token_file is None:
        doors.append(
            f"--metrics-host {config.metrics_host} can be reached by other machines: give "
            "--metrics-token-file"
        )
    return doors
