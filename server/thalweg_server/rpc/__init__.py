"""The gRPC side: messages to domain values, one call, and back. Only here and in `status.py` is
protobuf known."""
