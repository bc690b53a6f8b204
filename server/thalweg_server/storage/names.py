"""Long lists of names, each stored once for all the batches that bring it."""

from __future__ import annotations

import json
import secrets
import struct
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import apsw

from thalweg_server.core.errors import CorruptStorage
from thalweg_server.core.observation import Names
from thalweg_server.storage.codec import pack, to_json, unpack
from thalweg_server.storage.schema import checksum, damaged

READ_LISTS_MAX = 64
"""Lists kept while reading: batches that share a list get the same object, as they had it."""

_ID = struct.Struct("<q")
_ID_BITS = 63


class ListsOfNames(ABC):
    """The lists of names of a log, wherever it is. Not for several threads.

    Args:
        place: of the log, for messages.
        following: the id of the next new list.

    Attributes:
        new: lists that no transaction has written yet: id, digest, body, checksum.
    """

    def __init__(self, place: Path | str, following: int) -> None:
        self.new: list[tuple[int, bytes, bytes, bytes]] = []
        self._place = place
        self._next = following
        # `Names.stored` may have been set by another store: it counts only with this in front.
        self._store = secrets.randbits(64) << _ID_BITS
        self._known: set[int] = set()
        self._fresh: dict[bytes, int] = {}
        self._read: OrderedDict[int, Names] = OrderedDict()

    def number(self, names: Names) -> int:
        """The id of a list; a new one is to be written with the first entries that use it.

        Raises:
            CorruptStorage: the list that is stored is damaged.
        """
        if names.stored is not None and names.stored - self._store in self._known:
            return names.stored - self._store
        data = to_json(names)
        digest = blake2b(data, digest_size=16).digest()
        number = self._fresh.get(digest) or self._find(digest)
        if number is None:
            number, body = self._next, pack(data)
            self._next += 1
            self._fresh[digest] = number
            self.new.append((number, digest, body, _checksum(number, digest, body)))
        self._learn(number, names)
        return number

    def written(self) -> None:
        """The new lists are in a transaction."""
        self.new.clear()
        self._fresh.clear()

    def read(self, number: int) -> Names:
        """The list of an id, the same object while it is in use; raises CorruptStorage."""
        names = self._read.get(number)
        if names is None:
            names = Names(json.loads(unpack(self._body(number))))
            self._learn(number, names)
            self._read[number] = names
        self._read.move_to_end(number)
        if len(self._read) > READ_LISTS_MAX:
            self._read.popitem(last=False)
        return names

    def forget_reading(self) -> None:
        """Lets go of the lists that were read."""
        self._read.clear()

    @abstractmethod
    def _id(self, digest: bytes) -> int | None:
        """The id of the list with this digest, where there is one."""

    @abstractmethod
    def _row(self, number: int) -> Sequence[Any] | None:
        """Digest, body and checksum of the list with this id, where there is one."""

    def _learn(self, number: int, names: Names) -> None:
        self._known.add(number)
        names.stored = self._store + number

    def _find(self, digest: bytes) -> int | None:
        number = self._id(digest)
        # The index may be damaged, too: a wrong list would give these rows to other models.
        if number is not None and number not in self._known:
            self._body(number, digest)
        return number

    def _body(self, number: int, expected: bytes | None = None) -> bytes:
        row = self._row(number)
        if row is None:
            raise self._damaged(number, "is missing")
        digest, body, check = row
        if not (isinstance(digest, bytes) and isinstance(body, bytes)):
            raise self._damaged(number, "is no bytes")
        if check != _checksum(number, digest, body) or expected not in (None, digest):
            raise self._damaged(number, "does not match its checksum")
        return body

    def _damaged(self, number: int, what: str) -> CorruptStorage:
        return damaged(self._place, f"list of names {number} {what}")


class NamesTable(ListsOfNames):
    """The table of lists of names in a SQLite file.

    Args:
        connection: to the log.
        file: of the log, for messages.
    """

    def __init__(self, connection: apsw.Connection, file: Path) -> None:
        following: int = connection.execute("SELECT ifnull(max(id), 0) + 1 FROM names").get
        super().__init__(file, following)
        self._connection = connection

    def write(self) -> None:
        """Writes new lists, in the transaction of the first entries that use them."""
        if self.new:
            self._connection.executemany("INSERT INTO names VALUES(?, ?, ?, ?)", self.new)
            self.written()

    def remove_unused(self) -> None:
        """Deletes lists that no entry uses."""
        removed = self._connection.execute(
            "DELETE FROM names WHERE NOT EXISTS (SELECT 1 FROM log WHERE log.names = names.id) "
            "RETURNING id"
        )
        self._known.difference_update(number for (number,) in removed)

    def _id(self, digest: bytes) -> int | None:
        query = "SELECT id FROM names WHERE digest=?"
        number: int | None = self._connection.execute(query, (digest,)).get
        return number

    def _row(self, number: int) -> Sequence[Any] | None:
        query = "SELECT digest, body, checksum FROM names WHERE id=?"
        row: tuple[Any, ...] | None = self._connection.execute(query, (number,)).fetchone()
        return row


def _checksum(number: int, digest: bytes, body: bytes) -> bytes:
    return checksum(_ID.pack(number), digest, body)
