"""Thalweg: online learning over gRPC, one River model per item."""
