"""Regenerates the committed code under client/thalweg/v1 from the contract.

Run as `python proto/generate.py [OUTPUT_FOLDER]`. A test runs it into an empty folder and
compares bytes, so the committed code cannot drift from the contract.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
CONTRACT = "thalweg/v1/forecaster.proto"


def generate(output: Path) -> None:
    """Writes messages, stubs and types below `output`; raises RuntimeError if protoc fails."""
    arguments = [
        "protoc",
        f"--proto_path={ROOT / 'proto'}",
        f"--proto_path={files('grpc_tools') / '_proto'}",
        f"--python_out={output}",
        f"--grpc_python_out={output}",
        f"--mypy_out=quiet:{output}",
        f"--mypy_grpc_out=quiet:{output}",
        CONTRACT,
    ]
    if code := protoc.main(arguments):
        raise RuntimeError(f"protoc failed with exit code {code}")
    (output / "thalweg" / "v1" / "__init__.py").write_text(
        '"""Generated from proto/thalweg/v1/forecaster.proto; see proto/generate.py."""\n'
    )


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "client")
