"""The reasons of errors: status, cause and Python exception of each, from the server's table."""

from __future__ import annotations

from google.protobuf.descriptor_pb2 import FileDescriptorProto

from thalweg.errors import REASON_PREFIX, class_of
from thalweg_server.status import STATUSES

from .contract import described
from .markdown import plain, table


def text() -> str:
    """Return the table, with an anchor for each reason."""
    causes = _causes(described())
    return table(
        ("reason", "status", "when", "in Python"),
        (
            (
                f'<span id="{name.lower()}"></span>`{name}`',
                f"`{code.name}`",
                plain(causes[name]),
                f"`{class_of(code, name).__name__}`",
            )
            for code, name in sorted(
                ((code, _short(number, causes)) for code, number in STATUSES.values()),
                key=lambda pair: (pair[0].name, pair[1]),
            )
        ),
    )


def _causes(file: FileDescriptorProto) -> dict[str, str]:
    """Return reason to comment, in the contract's order. A comment opens with the status."""
    comments = {tuple(one.path): one.leading_comments for one in file.source_code_info.location}
    [(n, enum)] = [(n, e) for n, e in enumerate(file.enum_type) if e.name == "ErrorReason"]
    return {
        each.name.removeprefix(REASON_PREFIX): comments[5, n, 2, i].partition(": ")[2]
        for i, each in enumerate(enum.value)
    }


def _short(number: int, causes: dict[str, str]) -> str:
    return list(causes)[number]
