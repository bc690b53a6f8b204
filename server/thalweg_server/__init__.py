"""Thalweg's server: one learning model per item behind gRPC."""

import os

# Snapshots are written by a forked child that never calls gRPC. gRPC, which reads this when it is
# first imported, would otherwise have its handlers held up by every fork, and complain.
os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
