"""Who calls: a name and roles, known to the handler of every call."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a caller may do; `roles.RIGHTS` says which rpc asks for which."""

    PREDICT = "predict"
    LEARN = "learn"
    UPLOAD = "upload"
    UPLOAD_CODE = "upload-code"
    ADMIN = "admin"


# Roles imply nothing of one another, a learner's reply tells it predictions all the same, but for
# two: an admin may everything, and who may upload code may upload what is less than code.
_INCLUDES: Mapping[Role, frozenset[Role]] = {
    Role.ADMIN: frozenset(Role),
    Role.UPLOAD_CODE: frozenset({Role.UPLOAD}),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """One caller.

    Args:
        name: its token's name; one name is one caller to every limit that counts by caller.
        roles: what it may do, roles that others include written out: `role in caller.roles`
            is all there is to ask. See `granted`.
    """

    name: str
    roles: frozenset[Role]

    def may(self, role: Role) -> bool:
        """Whether the caller has a role, of its own or included in another."""
        return role in self.roles


def granted(roles: Iterable[Role]) -> frozenset[Role]:
    """The roles and those that they include."""
    return frozenset().union(*({role} | _INCLUDES.get(role, frozenset()) for role in roles))


ANONYMOUS = Caller("anonymous", frozenset(Role))
"""Every caller of a server without a token file."""

CALLER: ContextVar[Caller] = ContextVar("thalweg_caller", default=ANONYMOUS)
"""The caller of the call whose handler is running. Worker threads do not see it: a handler reads
it and hands it on."""


def caller_name() -> str:
    """The name of the caller's token; empty where it has none."""
    caller = CALLER.get()
    return "" if caller is ANONYMOUS else caller.name
