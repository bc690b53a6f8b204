"""What an attack is: a payload, when it strikes, and by what one sees that it did."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tests.hostile.assembly import Fragment, finish

Stage = Literal["load", "describe", "predict", "learn", "copy", "download", "drop"]
"""What a server does with a payload, in this order; `drop` is its end, and the process's."""

Harm = Literal["file", "read", "world", "signal", "crash", "escape", "exit", "hang", "memory",
               "depth", "output"]  # fmt: skip
"""What a harm looks like from outside.

- `file`: something appeared in the canary's folder; `read`: the secret beside it was opened.
- `world`: a class, function, module or setting of the process is another one than before.
- `signal`: the parent process got a signal.
- `crash`: the process died of a fault; `exit`: it ended itself.
- `escape`: an exception that `except Exception` lets through.
- `hang`: more than 2 s of CPU, or 5 s of waiting.
- `memory`: a MemoryError under a bound of 1 GiB, or 200 MB more than before.
- `depth`: the interpreter's own depth of recursion was used up.
- `output`: more than 1 MB on standard output.
"""

Permitted = Literal["never", "code", "safe"]
"""The strictest policy under which it may load, to be confined by the jail when it runs."""

SECRET = "secret"
"""Name of a file beside the canary's folder which no payload may read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """A hostile payload.

    Args:
        name: unique in the corpus.
        technique: which family it is of.
        fires: the stage in which plain dill lets it strike.
        payload: makes the bytes; is given the path of the canary, in an empty folder.
        why: what goes wrong where nobody looks.
        harm: what one sees of it.
        permitted: the strictest policy under which it may load.
    """

    name: str
    technique: str
    fires: Stage
    payload: Callable[[Path], bytes]
    why: str
    harm: Harm = "file"
    permitted: Permitted = "never"


Make = Callable[[Path], Fragment]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What the attacks of one technique have in common.

    Args:
        technique: its name.
        fires: the stage of those that do not say.
        harm: of those that do not say.
        permitted: of those that do not say.
    """

    technique: str
    fires: Stage = "load"
    harm: Harm = "file"
    permitted: Permitted = "never"

    def __call__(self, name: str, why: str, make: Make, **others: Any) -> Attack:
        """Return one attack.

        Args:
            name: of it.
            why: of it.
            make: what the payload holds, given the canary's path.
            others: where it is unlike its family.
        """
        common = {"fires": self.fires, "harm": self.harm, "permitted": self.permitted}
        return Attack(
            name=name,
            technique=self.technique,
            payload=lambda canary: finish(make(canary)),
            why=why,
            **(common | others),
        )
