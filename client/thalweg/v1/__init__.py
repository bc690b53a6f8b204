"""Generated from proto/thalweg/v1/forecaster.proto; see proto/generate.py."""
