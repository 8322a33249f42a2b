"""Reasons for which an import drops or repairs a call."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """Reason why a call was dropped or repaired.

    The readers count UNREADABLE. `object_ids` decides when another reason applies, and counts it.
    """

    FAILED = 0
    """The call returned NULL. Dropped."""
    FREE_OF_NULL = 1
    """A free of NULL. Dropped."""
    UNKNOWN_FREE = 2
    """A free of an address at which no object is live. Dropped."""
    OVERLAP = 3
    """An allocation at the address of a live object. Repaired: the object is freed first."""
    UNKNOWN_REALLOC = 4
    """A realloc of an address at which no object is live. Repaired: it becomes a malloc."""
    IMPOSSIBLE = 5
    """The size or the alignment is larger than any heap allows. Dropped."""
    OTHER_PROCESS = 6
    """A call of a process other than the chosen one. Dropped."""
    UNREADABLE = 7
    """The reader could not parse the call. Dropped."""


REASONS = {
    Reason.FAILED: "failed call",
    Reason.FREE_OF_NULL: "free of NULL",
    Reason.UNKNOWN_FREE: "free of unknown",
    Reason.OVERLAP: "overlap",
    Reason.UNKNOWN_REALLOC: "realloc of unknown",
    Reason.IMPOSSIBLE: "impossible size",
    Reason.OTHER_PROCESS: "other process",
    Reason.UNREADABLE: "unreadable call",
}
"""The names of the reasons in reports and JSON."""
