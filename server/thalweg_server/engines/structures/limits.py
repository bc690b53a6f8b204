"""Bounds of one packed estimator: what no row of a fleet has room for is refused early."""

from __future__ import annotations

BYTES_MAX = 1 << 22
"""Four times a row of a fleet: a number takes nine bytes here, not eight, and names come on top."""

OBJECTS_MAX = 1 << 17
"""Objects and containers: as many as a row of a fleet has words, and most take more than one."""

LENGTH_MAX = 1 << 13
"""Entries of one container: twice the longest window. A reader of hostile data reserves a word
for each that is announced, on every level."""

TEXT_MAX = 1 << 16
"""Characters of one text, and so of a feature's name or of a group's key."""

DIGITS_MAX = 256
"""Hexadecimal digits of an integer that does not fit in 64 bits."""

DEPTH_MAX = 24
"""Objects within objects: a plan is at most eight compositions deep, and a step three."""
