"""Reasons for which an import drops or repairs a call."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """Reason why a call was dropped or repaired."""

    FAILED = 0
    FREE_OF_NULL = 1
    UNKNOWN_FREE = 2
    OVERLAP = 3
    UNKNOWN_REALLOC = 4
    IMPOSSIBLE = 5
    OTHER_PROCESS = 6
    UNREADABLE = 7
    """The readers count calls with this reason. For the other reasons, `object_ids` counts them."""


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
