"""Losses: calls of the recorded program that are missing in a recording, or dropped on import."""

from __future__ import annotations

from collections.abc import Mapping

from allocsim.text import reasons_text
from allocsim.traces.reasons import REASONS, Reason

MAX_LOST = 0.05
"""Share of lost calls above which a trace is not valid. A lost allocation omits an object, and a
lost free keeps an object live. If one call in twenty is lost, the error in live bytes may exceed
the differences that a comparison is meant to show. Of the 33 recordings in the tests, 25 lose
nothing, 7 lose up to 3.4%, and one loses 26% (ltrace -f of a program with threads).
"""

TRUNCATED = "the compressed file ends early; its content up to there was read"
"""The loss that is reported for a trace whose compressed file is truncated."""

LOST = (Reason.UNREADABLE, Reason.UNKNOWN_FREE, Reason.UNKNOWN_REALLOC, Reason.OVERLAP,
        Reason.IMPOSSIBLE)  # fmt: skip
"""Reasons that show a loss: of the call itself, or of an earlier call on the same object. Calls
dropped for other reasons have no effect, or belong to the heap of another process."""


def lost_calls(dropped: Mapping[str, int], events: int) -> str | None:
    """Return a sentence about the lost calls, or None if their share is at most MAX_LOST.

    `dropped` has the counts by reason (see `Trace.dropped`), and `events` is the number of events.
    """
    counts = {REASONS[reason]: dropped.get(REASONS[reason], 0) for reason in LOST}
    lost = sum(counts.values())
    # `events` already includes two kinds of lost calls: a realloc of an unknown object, which
    # becomes an allocation, and the free that is inserted at an overlap.
    made_events = counts[REASONS[Reason.UNKNOWN_REALLOC]] + counts[REASONS[Reason.OVERLAP]]
    calls = events + lost - made_events
    # One lost call is normal: a call may be in progress when the recording begins or ends.
    if lost <= max(MAX_LOST * calls, 1):
        return None
    reasons = reasons_text({name: count for name, count in counts.items() if count})
    return (
        f"{lost:,} of {calls:,} calls ({lost / calls:.1%}) are lost, or are calls on objects that "
        f"are not in the recording: {reasons}; more than {MAX_LOST:.0%} make a replay misleading"
    )
