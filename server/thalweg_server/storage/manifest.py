"""What a snapshot's file says of itself: the state of which moment it is, and what it holds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.events import Progress

FORMAT = 2
"""Of the file and of what `core.freezing` and the engines write into it."""

MANIFEST = "manifest.json"

_TITLES = {"river": "River", "numpy": "NumPy", "python": "Python", "thalweg": "Thalweg"}


class OtherVersion(CorruptStorage):
    """A snapshot that is whole as far as it was read, but written with other versions."""


@dataclass(frozen=True, slots=True)
class Dumps:
    """Where each dump is, as columns: a snapshot may have tens of thousands.

    Args:
        names, versions: as `Sink.dump` was given them.
        chunks: number of the member that a dump is in,
        starts: where it begins there,
        lengths: and its bytes.
    """

    names: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    chunks: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A snapshot's description, its last member.

    Args:
        progress: how far the log is applied in it.
        versions: of what wrote it.
        created: when, in seconds since the epoch.
        members: name to bytes of all other members.
        dumps: where they are.
    """

    progress: Progress
    versions: Mapping[str, str]
    created: float
    members: Mapping[str, int]
    dumps: Dumps

    def to_json(self) -> bytes:
        """As bytes."""
        return json.dumps({"format": FORMAT, **asdict(self)}).encode()

    @staticmethod
    def from_json(payload: bytes, path: Path) -> Manifest:
        """What a snapshot says of itself.

        Raises:
            OtherVersion: it is of another format.
            ValueError, LookupError, TypeError: it is no manifest.
        """
        fields = json.loads(payload)
        if (written := fields.pop("format")) != FORMAT:
            raise OtherVersion(
                f"snapshot {path} is of format {written}, and this server reads format {FORMAT}: "
                "start the version that wrote it once more, or delete the snapshot to replay the "
                "log if it is whole"
            )
        progress, dumps = Progress(**fields.pop("progress")), Dumps(**fields.pop("dumps"))
        return Manifest(progress=progress, dumps=dumps, **fields)

    def check_versions(self, path: Path, here: Mapping[str, str]) -> None:
        """Raises OtherVersion where something that reads the state is not what wrote it."""
        for name in sorted(here.keys() | self.versions.keys()):
            then, now = self.versions.get(name, "none"), here.get(name, "none")
            if then != now:
                raise OtherVersion(
                    f"snapshot {path} was written with {_TITLES.get(name, name)} {then}, this is "
                    f"{now}: start that version once more, or delete the snapshot to replay the "
                    "log if it is whole"
                )


def name_of(progress: Progress) -> str:
    """A snapshot's file name: later ones sort behind earlier ones."""
    return f"snapshot-{progress.batch:020}-{progress.row:010}-{progress.event:020}.zip"


def progress_of(path: Path) -> Progress | None:
    """What moment a snapshot is of, by its file name; None for another file."""
    kind, *parts = path.stem.split("-")
    if kind != "snapshot" or len(parts) != 3 or not all(part.isdecimal() for part in parts):
        return None
    progress = Progress(*map(int, parts))
    return progress if name_of(progress) == path.name else None
