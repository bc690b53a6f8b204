"""What a payload may cost, each bound with its unit and its reason."""

from __future__ import annotations

PROTOCOL_MIN, PROTOCOL_MAX = 2, 5
"""Pickle protocols: older ones are text and build objects in ways that nobody needs today."""

MEMORY_PER_BYTE, MEMORY_BASE = 48, 1 << 20
"""Bytes of memory that containers and instances may take: so many for each byte of payload, and
a start. Trained estimators take 3 to 20 for each byte; an opcode of one byte can make 216."""

INTEGER_BYTES_MAX = 65_536
"""Bytes of one integer: arithmetic on longer ones is slow. A Bloom filter (`sketch.Set`) is one
integer of some kilobytes."""

NUMERIC_KEYS_MAX = 10_000
"""Keys that are huge integers or hold several numbers, in all containers of a payload together: a
caller can make these collide, and inserting n colliding keys takes n * n steps. Texts are hashed
with a secret."""

KEY_PARTS_MAX = 64
"""Values in one key, nested tuples expanded: hashing a key visits each, shared or not."""

SHARES_FREE = 12
"""Shared containers before the expanded size is counted: n of them multiply it by 2**n at most."""

EXPANSION_MAX = 64
"""Values met by a walk that visits shared containers each time, for each byte of payload and on
top of a million. Such walks happen: a repr, a comparison, a vote of votes."""

EXPANSION_BASE = 1_000_000

DEPTH_MAX = 2_000
"""Containers and instances inside each other. What is deeper cannot be pickled by Python, so
that no caller has it; copying it would end in a RecursionError."""

DIMENSIONS_MAX = 8
"""Dimensions of an array; estimators have two at most."""

WINDOW_MAX = 1 << 24
"""Items that a deque or a statistic over a window may be made for."""
