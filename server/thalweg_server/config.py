"""The server's settings. Every limit has a name with its unit, and a reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from thalweg_server.core.groups import BadRule, GroupRule
from thalweg_server.core.limits import Limits
from thalweg_server.core.observation import Flavor
from thalweg_server.core.policy import Policy

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class WebLimits:
    """Bounds of the HTTP side.

    Args:
        connections_max: at once; more than that is no scraper. Beyond it requests get 503, and
            beyond twice as many connections are closed at once.
        header_bytes_max: a request's line and headers; scrapers send half a KiB.
        request_seconds_max: from connecting, or from a request's first byte, to its last.
        stall_seconds_max: how long a reader may take nothing of a response that waits for it.
        keepalive_seconds: how long an idle connection is kept: longer than Prometheus' usual pause
            between scrapes.
    """

    connections_max: int = 256
    header_bytes_max: int = 16 * 1024
    request_seconds_max: float = 5.0
    stall_seconds_max: float = 30.0
    keepalive_seconds: int = 75


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one answer of a model worker may take.

    Args:
        cpu_seconds: of the worker's work,
        wall_seconds: and of anybody's time: a process that sleeps does no work.
    """

    cpu_seconds: float
    wall_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """Bounds of model workers.

    Args:
        memory_bytes: of one worker, beyond what it begins with: what does not fit is refused to
            the estimator, not taken from the machine.
        call: for one prediction or one lesson; a thousand times what most take.
        loading: for one upload, or for a candidate that is made again.
        loaders: uploads that are loaded at a time: one that hangs does not hold up all others.
        domains_max: workers at a time for uploads with code, of which each uploader has its own.
        strikes_max: how often a candidate is stopped before it is left alone: once may be chance.
        lessons_max: lessons behind what a candidate is made from; making it again repeats them.
    """

    memory_bytes: int = 2048 * MIB
    call: Patience = Patience(cpu_seconds=1.0, wall_seconds=5.0)
    loading: Patience = Patience(cpu_seconds=10.0, wall_seconds=30.0)
    loaders: int = 2
    domains_max: int = 8
    strikes_max: int = 3
    lessons_max: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What `thalweg serve` was told.

    Args:
        host: address of the gRPC port. Loopback by default.
        port: gRPC port; 0 = any free one.
        metrics_host: address of the HTTP port.
        metrics_port: HTTP port; 0 = any free one.
        tokens: file of callers' tokens and roles; None = every caller may everything.
        tls_cert: PEM file of the certificate chain; None = no TLS. Renewed ones are picked up.
        tls_key: PEM file of its private key, without a password.
        tls_client_ca: PEM file of authorities: a client has to show a certificate of theirs.
        metrics_token_file: file of the token that `/metrics` and the live page ask for.
        metrics_tls: HTTPS on the HTTP port, with the same certificate.
        allow_insecure_bind: start on an address that others reach without TLS and tokens.
        uploads: what uploads may hold, where their callers may send code; others' are safe ones.
        worker_imports: modules that workers import beside River: classes that uploads name.
        allow_unjailed_code: run code of uploads where the kernel cannot close workers' doors.
        data_dir: folder for state that outlives the process; None = there is none.
        store: URL of a PostgreSQL database for the event log; it may hold a password. None = the
            log is in data_dir, else that holds snapshots only.
        snapshot_learning_seconds: learning after which a snapshot is due: a restart repeats it.
        snapshot_pause_seconds: between two snapshots at least; each writes all there is.
        flavor: what models predict; None = Init says it.
        champion_metric: "mae" or "rmse".
        metrics_model_limit: candidates exported one by one; more would overload Prometheus.
        metrics_group: rule that cuts the label of a model's group from its name: a regular
            expression for the whole name, with groups; "m5"; "" = all models are one group.
        log_level: the least that is logged; at "debug" a line for each rpc.
        log_format: "text" or "json"; "" = text where stderr is a terminal.
        otlp_endpoint: URL of an OpenTelemetry collector, OTLP over gRPC; "" = there is none.
        message_bytes_max: largest request; the largest batch worth one ack.
        metadata_bytes_max: a call's headers; a token and a trace take 1 KiB, gRPC's own bound 16.
        read_buffer_bytes_max: read ahead on one connection; without a bound a flood of frames is
            read faster than it is looked at, and takes hundreds of MB.
        connections_max: gRPC connections; each holds a file descriptor, of which many systems
            give a process 1,024.
        streams_per_connection_max: calls at once on one connection; its client queues the rest.
            A flood of calls that are cancelled at once holds others up by as many, but gRPC counts
            calls that have just ended, too: with few, honest bursts are refused.
        calls_max: unary calls at once, whoever makes them: each one that waits takes 20 KB.
        calls_per_caller_max: of these one caller's: half, so that nobody shuts out all others.
        streams_max: streaming calls at once; each one holds buffers for as long as it is open.
        streams_per_caller_max: of these one caller's; a producer needs a handful.
        inflight_bytes_per_caller_max: of one caller's single calls together, and of its streams'
            batches that are not applied yet: a few batches of the largest size.
        inflight_rows_per_caller_max: in one caller's batches that are not applied yet; they take
            more memory decoded than sent, and two full streams keep any engine busy.
        unaccepted_calls_max: calls that wait within gRPC for the event loop: from here it refuses
            some at random, from three times as many all, at a fraction of what we take for it.
        opening_calls_max: calls whose request has not come yet, before those to come
        request_seconds_max: have this long for it: who opens a call has its request at hand.
        waiting_calls_max: calls that may wait for the models; more than that is seconds of work.
        drain_seconds_max: how long open streams may take for their last batch at shutdown.
        handshake_seconds_max: from connecting to HTTP/2 settings exchanged: any living client is
            done in a second, and a silent socket costs a file descriptor.
        idle_seconds_max: how long a connection may be open without a call.
        connection_age_seconds_max: after which a client is asked to connect anew: who is allowed
            in, and on which server, is decided when a connection begins.
        connection_grace_seconds_max: what calls on such a connection get to end; then they fail.
        keepalive_seconds: how often an idle connection is probed; below common NAT timeouts.
        keepalive_timeout_seconds: how long a probe may stay unanswered.
        ping_seconds_min: how often a client may probe an idle connection: as often as ours does.
        ping_strikes_max: probes too early before the client is sent away.
        web: bounds of the HTTP side.
        workers: bounds of model workers.
        limits: bounds of the domain.
    """

    host: str = "127.0.0.1"
    port: int = 50051
    metrics_host: str = "127.0.0.1"
    metrics_port: int = 9464
    tokens: Path | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    tls_client_ca: Path | None = None
    metrics_token_file: Path | None = None
    metrics_tls: bool = False
    allow_insecure_bind: bool = False
    uploads: Policy = Policy.SAFE
    worker_imports: tuple[str, ...] = ()
    allow_unjailed_code: bool = False
    data_dir: Path | None = None
    store: str | None = field(default=None, repr=False)
    snapshot_learning_seconds: float = 10.0
    snapshot_pause_seconds: float = 60.0
    flavor: Flavor | None = None
    champion_metric: str = "mae"
    metrics_model_limit: int = 100_000
    metrics_group: str = ""
    log_level: str = "info"
    log_format: str = ""
    otlp_endpoint: str = ""
    message_bytes_max: int = 64 * MIB
    metadata_bytes_max: int = 16 * 1024
    read_buffer_bytes_max: int = MIB
    connections_max: int = 1_000
    streams_per_connection_max: int = 1_000
    calls_max: int = 4_000
    calls_per_caller_max: int = 2_000
    streams_max: int = 1_000
    streams_per_caller_max: int = 500
    inflight_bytes_per_caller_max: int = 256 * MIB
    inflight_rows_per_caller_max: int = 1_000_000
    unaccepted_calls_max: int = 1_000
    opening_calls_max: int = 500
    request_seconds_max: float = 10.0
    waiting_calls_max: int = 2_000
    drain_seconds_max: float = 30.0
    handshake_seconds_max: float = 5.0
    idle_seconds_max: float = 600.0
    connection_age_seconds_max: float = 86_400.0
    connection_grace_seconds_max: float = 3_600.0
    keepalive_seconds: float = 60.0
    keepalive_timeout_seconds: float = 20.0
    ping_seconds_min: float = 10.0
    ping_strikes_max: int = 2
    web: WebLimits = field(default_factory=WebLimits)
    workers: WorkerLimits = field(default_factory=WorkerLimits)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        """Refuses what does not go together, or means nothing."""
        try:
            GroupRule(self.metrics_group)
        except BadRule as problem:
            raise ValueError(f"--metrics-group {problem}") from problem
        if self.store is not None and self.data_dir is None:
            raise ValueError("a store needs a data_dir, for its snapshots")
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("--tls-cert and --tls-key go together: give both")
        if self.tls_cert is None and (self.tls_client_ca is not None or self.metrics_tls):
            raise ValueError("--tls-client-ca and --metrics-tls need --tls-cert and --tls-key")
