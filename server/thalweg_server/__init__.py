"""Thalweg's server: one learning model per item behind gRPC."""
