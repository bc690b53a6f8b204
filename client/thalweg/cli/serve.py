"""`thalweg serve`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from thalweg.cli.group import Command, Failure

if TYPE_CHECKING:
    from thalweg_server.config import Config

FLAVORS = click.Choice(["regression", "binary", "multiclass"], case_sensitive=False)
_PORT = click.IntRange(0, 65535)
_FILE = click.Path(path_type=Path)


@click.command(cls=Command)
@click.option("--host", default="127.0.0.1", help="Address of the gRPC port.")
@click.option("--port", type=_PORT, default=50051, help="gRPC port; 0 = any free one.")
@click.option("--metrics-host", default="127.0.0.1", help="Address of the HTTP port.")
@click.option("--metrics-port", type=_PORT, default=9464, help="HTTP port; 0 = any free one.")
@click.option(
    "--tokens",
    type=_FILE,
    metavar="FILE",
    help="Callers' tokens and roles, as `thalweg token new` writes them; read anew when that "
    "changes. Without it every caller may everything.",
)
@click.option(
    "--tls-cert",
    type=_FILE,
    metavar="FILE",
    help="TLS with this certificate chain (PEM); a renewed one is picked up.",
)
@click.option("--tls-key", type=_FILE, metavar="FILE", help="The key of --tls-cert (PEM).")
@click.option(
    "--tls-client-ca",
    type=_FILE,
    metavar="FILE",
    help="mTLS: connect only clients with a certificate of these authorities (PEM). What they may "
    "do is their tokens' matter.",
)
@click.option(
    "--metrics-token-file",
    type=_FILE,
    metavar="FILE",
    help="Token that /metrics and the live page ask for; health needs none.",
)
@click.option("--metrics-tls", is_flag=True, help="HTTPS on the HTTP port, with --tls-cert.")
@click.option(
    "--allow-insecure-bind",
    is_flag=True,
    help="Start on an address that other machines reach without TLS and tokens.",
)
@click.option(
    "--uploads",
    type=click.Choice(["safe", "code", "trusted"]),
    default="safe",
    help="What uploads may hold. safe: River objects, and the functions that Thalweg ships. code: "
    "functions by value, too. trusted: whatever dill loads. The last two take the role "
    "upload-code where there are --tokens.",
)
@click.option(
    "--worker-import",
    "worker_imports",
    multiple=True,
    metavar="MODULE",
    help="A module that model workers import before they close their doors: one with classes of "
    "your own, for --uploads trusted. Repeatable.",
)
@click.option(
    "--allow-unjailed-code",
    is_flag=True,
    help="Run code of uploads even where the kernel cannot confine the processes that do.",
)
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    default=Path("thalweg-data"),
    help="Folder of the event log and the snapshots: what was acknowledged is still there after "
    "a crash. Made where it is missing.",
)
@click.option(
    "--store",
    metavar="URL",
    help="Keep the event log in PostgreSQL, postgresql://user@host/name, and only snapshots in "
    "--data-dir: for failover to another machine. The newest server on a database is the one "
    "that writes it. The log is never truncated.",
)
@click.option(
    "--ephemeral",
    is_flag=True,
    help="Keep everything in memory only: it goes with the process. --data-dir is not used.",
)
@click.option("--flavor", type=FLAVORS, help="Start initialised; without it a client says Init.")
@click.option(
    "--champion-metric",
    type=click.Choice(["mae", "rmse"]),
    default="mae",
    help="What makes the best candidate of a regression model its champion.",
)
@click.option(
    "--metrics-model-limit",
    type=click.IntRange(min=0),
    default=100_000,
    help="Candidates exported one by one; beyond it only the worst.",
)
@click.option(
    "--metrics-group",
    metavar="RULE",
    default="",
    help="Sum errors by groups of models, too: a regular expression for a whole name, whose groups "
    "in parentheses are the label; or the word m5, for department and store. Names that do not "
    "match are in the group other; there are at most 1,000.",
)
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    help="The least that is logged, on stderr; debug has a line for each rpc.",
)
@click.option(
    "--log-format",
    type=click.Choice(["text", "json"]),
    help="How it is logged; without it, text on a terminal and JSON lines elsewhere.",
)
@click.option(
    "--otlp-endpoint",
    metavar="URL",
    help="Send traces and metrics to an OpenTelemetry collector, OTLP over gRPC, "
    "http://host:4317. The standard OTEL_EXPORTER_OTLP_ENDPOINT says the same.",
)
@click.option("--json", "as_json", is_flag=True, help="Print where it listens for machines.")
def serve(as_json: bool, ephemeral: bool, flavor: str | None, **settings: Any) -> None:
    """Run a server until SIGTERM or Ctrl-C.

    It binds to loopback. On an address that other machines reach it starts only with TLS and
    callers' tokens.
    """
    if ephemeral:
        if settings["store"] is not None:
            raise click.UsageError("--ephemeral and --store do not go together")
        settings["data_dir"] = None
    settings["log_format"] = settings["log_format"] or ""
    settings["otlp_endpoint"] = settings["otlp_endpoint"] or _standard_endpoint()
    code = _run(_config(flavor, settings), as_json=as_json)
    click.get_current_context().exit(code)


def _standard_endpoint() -> str:
    """Return what OpenTelemetry's own variables say."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ""
    return os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "")


def _config(flavor: str | None, settings: dict[str, Any]) -> Config:
    try:
        from thalweg_server.config import Config  # noqa: PLC0415 - it may not be installed
        from thalweg_server.core.observation import Flavor  # noqa: PLC0415
        from thalweg_server.core.policy import Policy  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise incomplete(error) from error
    settings["uploads"] = Policy(settings["uploads"])
    return Config(flavor=Flavor(flavor) if flavor else None, **settings)


def _run(config: Config, *, as_json: bool) -> int:
    try:
        from thalweg_server.__main__ import run  # noqa: PLC0415 - it loads River
    except ModuleNotFoundError as error:
        raise incomplete(error) from error
    return run(config, as_json=as_json)


def incomplete(error: ModuleNotFoundError) -> Exception:
    """Return what to say where the server cannot be loaded: a package is missing, or it is ours."""
    if error.name is None or error.name.startswith("thalweg."):
        return error
    return Failure(f"the server needs {error.name}: pip install 'thalweg[server]'")
