"""The contract as a page: every call, message and field with its comment in the .proto."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
)
from grpc_tools import protoc

from thalweg.errors import REASON_PREFIX

from .markdown import paragraphs, plain, table

PROTO = Path(__file__).resolve().parents[2] / "proto"
CONTRACT = "thalweg/v1/forecaster.proto"

# Where things stand in a descriptor: numbers of fields in descriptor.proto, by which comments are
# found.
_FILE_MESSAGES, _FILE_ENUMS, _FILE_SERVICES, _FILE_SYNTAX = 4, 5, 6, 12
_MEMBERS = 2
"""Fields of a message, values of an enum and methods of a service."""


def text() -> str:
    """Return the page's generated part."""
    return "".join(_Contract(described()).sections())


def described() -> FileDescriptorProto:
    """Return what protoc reads in the contract, comments included."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "contract.binpb"
        arguments = [f"--proto_path={PROTO}", f"--descriptor_set_out={output}"]
        if code := protoc.main(["protoc", *arguments, "--include_source_info", CONTRACT]):
            raise RuntimeError(f"protoc failed with exit code {code}")
        [file] = FileDescriptorSet.FromString(output.read_bytes()).file
    return file


class _Contract:
    """One reading of the contract.

    Args:
        file: the contract.
    """

    def __init__(self, file: FileDescriptorProto) -> None:
        self._file = file
        places = file.source_code_info.location
        self._comments = {tuple(one.path): one.leading_comments for one in places}
        self._messages = {message.name: n for n, message in enumerate(file.message_type)}
        [reasons] = (enum for enum in file.enum_type if enum.name == "ErrorReason")
        names = [one.name.removeprefix(REASON_PREFIX) for one in reasons.value if one.number]
        self._reason = re.compile(rf"\b(?:{REASON_PREFIX})?({'|'.join(names)})\b")

    def sections(self) -> Iterator[str]:
        """Yield the parts of the page in reading order."""
        yield self._said(_FILE_SYNTAX)
        shown: set[str] = set()
        [service] = self._file.service
        yield "## Calls\n\n"
        for n, method in enumerate(service.method):
            yield self._call(n, method)
            for name in (_short(method.input_type), _short(method.output_type)):
                shown.add(name)
                yield self._message(name, "####")
        yield "## Messages\n\n"
        for name in sorted(set(self._messages) - shown):
            yield self._message(name, "###")
        yield "## Enums\n\n"
        for n, enum in enumerate(self._file.enum_type):
            yield f"### {enum.name}\n\n{self._said(_FILE_ENUMS, n)}"
            values = enumerate(enum.value)
            yield table(
                ("value", "number", ""),
                (
                    (f"`{one.name}`", str(one.number), self._line(_FILE_ENUMS, n, _MEMBERS, i))
                    for i, one in values
                ),
            )

    def _call(self, n: int, method: MethodDescriptorProto) -> str:
        sent, got = _short(method.input_type), _short(method.output_type)
        many = {False: "", True: "a stream of "}
        kind = (
            f"Takes {many[method.client_streaming]}{_link(sent)}, "
            f"answers {many[method.server_streaming]}{_link(got)}."
        )
        said = self._said(_FILE_SERVICES, 0, _MEMBERS, n)
        return f"### {method.name}\n\n{kind}\n\n{said}"

    def _message(self, name: str, level: str) -> str:
        n = self._messages[name]
        message = self._file.message_type[n]
        said = self._said(_FILE_MESSAGES, n)
        rows = (
            (
                f"`{field.name}`",
                self._type(message, field),
                str(field.number),
                self._line(_FILE_MESSAGES, n, _MEMBERS, i),
            )
            for i, field in enumerate(message.field)
        )
        fields = table(("field", "type", "number", ""), rows) if message.field else ""
        return f"{level} {name}\n\n{said}{fields}"

    def _type(self, message: DescriptorProto, field: FieldDescriptorProto) -> str:
        entry = next((t for t in message.nested_type if t.name == _short(field.type_name)), None)
        if entry is not None:
            key, value = (self._type(entry, one) for one in entry.field)
            return f"map of {key} to {value}"
        if field.type_name:
            name = _link(_short(field.type_name))
        else:
            name = f"`{FieldDescriptorProto.Type.Name(field.type).removeprefix('TYPE_').lower()}`"
        if field.label == FieldDescriptorProto.LABEL_REPEATED:
            return f"repeated {name}"
        if field.proto3_optional:
            return f"optional {name}"
        if field.HasField("oneof_index"):
            return f"{name}, one of `{message.oneof_decl[field.oneof_index].name}`"
        return name

    def _said(self, *path: int) -> str:
        """A comment as paragraphs; the errors of a call and the like begin one of their own."""
        lines = re.sub(r"^ ?(Errors\b)", r"\n\1", self._comments.get(path, ""), flags=re.MULTILINE)
        return "".join(f"{self._linked(each)}\n\n" for each in paragraphs(lines))

    def _line(self, *path: int) -> str:
        return self._linked(" ".join(self._comments.get(path, "").split()))

    def _linked(self, words: str) -> str:
        """A text as Markdown, the reasons of errors linked to where they are explained."""
        return self._reason.sub(
            lambda match: f"[{match[1]}](errors.md#{match[1].lower()})", plain(words)
        )


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"
