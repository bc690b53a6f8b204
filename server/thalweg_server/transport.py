"""What gRPC itself is told to bound: the settings' limits as its channel arguments.

Calls beyond these are refused by gRPC's core, which knows nothing of our ErrorInfo: they end with a
bare RESOURCE_EXHAUSTED. What is to be explained is bounded in `rpc.quotas`.
"""

from __future__ import annotations

from thalweg_server.config import MIB, Config


def channel_options(config: Config) -> list[tuple[str, int]]:
    """The arguments of a gRPC server with these settings."""
    handshake_ms = _ms(config.handshake_seconds_max)
    return [
        ("grpc.so_reuseport", 0),  # a taken port is an error, not a second server on it
        # A little more than allowed, so that an oversized batch gets our error with a reason.
        ("grpc.max_receive_message_length", config.message_bytes_max + MIB),
        # Between the two, gRPC refuses at random: equal, they are one limit.
        ("grpc.max_metadata_size", config.metadata_bytes_max),
        ("grpc.absolute_max_metadata_size", config.metadata_bytes_max),
        ("grpc.experimental.tcp_max_read_buffer_size", config.read_buffer_bytes_max),
        ("grpc.max_allowed_incoming_connections", config.connections_max),
        ("grpc.max_concurrent_streams", config.streams_per_connection_max),
        # Refuses at random from the first number on, and all from the second.
        ("grpc.server.max_pending_requests", config.unaccepted_calls_max),
        ("grpc.server.max_pending_requests_hard_limit", 3 * config.unaccepted_calls_max),
        # From connecting to the client's settings, and from ours to its answer to them.
        ("grpc.server_handshake_timeout_ms", handshake_ms),
        ("grpc.http2.settings_timeout", handshake_ms),
        ("grpc.max_connection_idle_ms", _ms(config.idle_seconds_max)),
        ("grpc.max_connection_age_ms", _ms(config.connection_age_seconds_max)),
        ("grpc.max_connection_age_grace_ms", _ms(config.connection_grace_seconds_max)),
        ("grpc.keepalive_time_ms", _ms(config.keepalive_seconds)),
        ("grpc.keepalive_timeout_ms", _ms(config.keepalive_timeout_seconds)),
        # Clients may probe as often as the Python client does, without being sent away.
        ("grpc.http2.min_ping_interval_without_data_ms", _ms(config.ping_seconds_min)),
        ("grpc.http2.max_ping_strikes", config.ping_strikes_max),
        ("grpc.keepalive_permit_without_calls", 1),
    ]


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
