"""Benchmarks: each module prints one JSON object and compares within one run."""
