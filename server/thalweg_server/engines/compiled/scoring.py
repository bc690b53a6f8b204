"""The core's scoring loop, compiled."""

from __future__ import annotations

import inspect
import logging

from thalweg_server.core.ports import NotReady
from thalweg_server.core.tally import (
    PAST,
    PAST_MAX,
    RAISED,
    RECENT,
    UNLEARNED,
    UNSCORED,
    Tally,
    rank,
    tally,
)
from thalweg_server.engines.compiled.cache import KernelCache
from thalweg_server.engines.compiled.errors import Unlowerable
from thalweg_server.engines.compiled.template import HEAD, function_text

_ARRAYS = {
    "Floats": "float64[::1]",
    "Ints": "int64[::1]",
    "Bytes": "uint8[::1]",
    "Flags": "boolean[::1]",
    "Rings": "float64[:, ::1]",
    "SmallRings": "float32[:, ::1]",
    "DayRings": "int32[:, ::1]",
}
_SCALARS = {"bool": "boolean", "float": "float64"}


def compiled_tally(kernels: KernelCache) -> Tally:
    """`core.tally.tally` from the disk or from the compiler, which takes some seconds.

    Where nothing can be compiled it is the plain one: slower, and no reason not to start.
    """
    source = _source()
    while True:
        try:
            return kernels.get(source).run
        except NotReady as making:
            making.wait()
        except Unlowerable as failed:
            logging.getLogger(__name__).warning("scores are not compiled: %s", failed)
            return tally


def _source() -> str:
    kinds = _ARRAYS | _SCALARS
    arguments = [
        kinds[str(each.annotation)] for each in inspect.signature(tally).parameters.values()
    ]
    signature = f'@njit("void({", ".join(arguments)})", nogil=True, cache=True)'
    parts = (
        HEAD,
        f"{' = '.join(_ARRAYS)} = None",
        f"RAISED, UNLEARNED, UNSCORED, RECENT = {RAISED}, {UNLEARNED}, {UNSCORED}, {RECENT}",
        f"PAST, PAST_MAX = {PAST}, {PAST_MAX!r}",
        function_text(rank),
        signature,
        inspect.getsource(tally),
        "run = tally",
    )
    return "\n".join(parts)
