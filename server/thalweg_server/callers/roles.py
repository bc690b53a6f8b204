"""Which rpc asks for which role: ONE table."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from thalweg_server.callers.identity import Caller, Role
from thalweg_server.core.errors import RoleMissing

FORECASTER = "/thalweg.v1.Forecaster/"


class Need(StrEnum):
    """What is asked of a caller where it is no role."""

    NOTHING = "no token"
    TOKEN = "any token"


RIGHTS: Mapping[str, Role | Need] = {
    # Reports what the server is, which every client needs to know, so any token will do. What
    # *changes* the server, another flavor or a reset, asks for admin: see `check_init`.
    FORECASTER + "Init": Need.TOKEN,
    FORECASTER + "UploadModel": Role.UPLOAD,
    FORECASTER + "Predict": Role.PREDICT,
    FORECASTER + "Learn": Role.LEARN,
    FORECASTER + "StreamLearn": Role.LEARN,
    FORECASTER + "PredictMany": Role.PREDICT,
    # Reading names and scores tells no more than predicting does.
    FORECASTER + "ListModels": Role.PREDICT,
    FORECASTER + "GetModel": Role.PREDICT,
    # A pickle holds what its estimator remembers: rows that it was trained on.
    FORECASTER + "DownloadModel": Role.UPLOAD,
    # Whoever brings models takes them away.
    FORECASTER + "DeleteModel": Role.UPLOAD,
    FORECASTER + "WatchScores": Role.PREDICT,
    # Load balancers and container health checks hold no tokens, and learn one bit.
    "/grpc.health.v1.Health/Check": Need.NOTHING,
    "/grpc.health.v1.Health/List": Need.NOTHING,
    "/grpc.health.v1.Health/Watch": Need.NOTHING,
    # It tells the contract, which is public: nothing about models, data or callers. Tools such as
    # grpcurl ask it before they have read what the contract says about tokens.
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": Need.NOTHING,
}


def needed(method: str) -> Role | Need:
    """What a method asks for; one without a row asks for the most.

    Args:
        method: with its service, as "/thalweg.v1.Forecaster/Predict".
    """
    return RIGHTS.get(method, Role.ADMIN)


def check_role(caller: Caller, role: Role, action: str) -> None:
    """Refuses a caller that lacks a role.

    Args:
        caller: who calls.
        role: what it needs.
        action: what it wants to do, for the message.

    Raises:
        RoleMissing: it lacks the role.
    """
    if not caller.may(role):
        has = ", ".join(sorted(caller.roles)) or "none"
        raise RoleMissing(
            f"{action} needs the role {role}, and the token {caller.name!r} has {has}: use "
            f"another token, or let the server's owner make one: thalweg token new --role {role}",
            role=role.value,
        )


def check_init(caller: Caller, *, changes: bool) -> None:
    """Refuses an Init that would change the server to all but an admin.

    Args:
        caller: who calls.
        changes: whether it says `reset`, or another flavor than the server's.

    Raises:
        RoleMissing: it would, and the caller is none.
    """
    if changes:
        check_role(caller, Role.ADMIN, "Init with reset or a new flavor")
