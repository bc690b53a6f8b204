"""Loading uploads: a pickle machine of its own, which builds what a policy allows and no more.

The table of globals and the rules are the server's; nothing in a payload widens them. It is meant
to run inside a jailed worker and to be strong without the jail.
"""

from __future__ import annotations

import struct
from importlib import import_module
from typing import Any

import dill as _dill

from thalweg_server.core.errors import BadPayload, PayloadRefused
from thalweg_server.core.policy import Policy
from thalweg_server.uploads.audit import audit
from thalweg_server.uploads.by_value import ByValue
from thalweg_server.uploads.code_names import MODULES
from thalweg_server.uploads.machine import Machine
from thalweg_server.uploads.names import table
from thalweg_server.uploads.opcodes import HANDLERS
from thalweg_server.uploads.refusals import Forbidden, Malformed

__all__ = ["load", "prepare"]

_TEXT_MAX = 500
_ADVICE = {
    Policy.SAFE: "Use functions that the package thalweg ships (thalweg.features) in place of "
    "your own, or ask for the role upload-code on a server with --uploads code",
    Policy.CODE: "Functions by value may be uploaded, and River's estimators; not classes of your "
    "own, nor what is neither. Dump with dill.dumps(estimator, recurse=True)",
}


def load(payload: bytes, policy: Policy) -> Any:
    """The object that dill or pickle bytes describe.

    Args:
        payload: what `dill.dumps(estimator, recurse=True)` or `pickle.dumps(estimator)` wrote.
        policy: what it may hold.

    Raises:
        PayloadRefused: it holds what the policy forbids; says what, where and what to do.
        BadPayload: it is no pickle, or does not load with these versions of Python and River.
    """
    if policy is Policy.TRUSTED:
        return _load_trusted(payload)
    known = table()
    by_value = ByValue(known) if policy is Policy.CODE else None
    names = by_value or known
    machine = Machine(payload, names.lookup, names.rules)
    try:
        loaded = machine.run(HANDLERS)
        if by_value is not None:
            by_value.finish()
        audit(loaded, len(payload), machine.shares)
    except Forbidden as error:
        raise _refused(error, machine.position, policy) from None
    except (IndexError, struct.error) as error:
        raise _bad(payload, Malformed("it is cut off or damaged")) from error
    except BaseException as error:
        raise _bad(payload, error) from error
    return loaded


def prepare() -> None:
    """Imports and makes all that a load may need: a jailed process cannot do so later."""
    table()
    for module in MODULES:
        import_module(module)


def _load_trusted(payload: bytes) -> Any:
    try:
        return _dill.loads(payload)
    except BaseException as error:
        raise _bad(payload, error) from error


def _refused(error: Forbidden, position: int, policy: Policy) -> PayloadRefused:
    return PayloadRefused(
        f"uploads may not hold {error} (at byte {position} of the payload). {_ADVICE[policy]}",
        field="payload",
    )


def _bad(payload: bytes, error: BaseException) -> BadPayload:
    return BadPayload(
        f"the payload ({len(payload)} bytes) does not load as dill: {_text_of(error)}. Send "
        "dill.dumps(estimator, recurse=True), made with this server's versions of Python "
        "and River",
        field="payload",
    )


def _text_of(error: BaseException) -> str:
    try:
        text = f"{type(error).__name__}: {error}"
    except BaseException:  # a message that cannot be made is no reason to fail
        text = type(error).__name__
    return text.encode(errors="replace").decode()[:_TEXT_MAX]
