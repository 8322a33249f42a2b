"""Losses: calls of the recorded program that a recording or its import does not have."""

from __future__ import annotations

from collections.abc import Mapping

from allocsim.traces.object_ids import REASONS, Reason

MAX_LOST = 0.05
"""Share of lost calls above which a trace is not valid. A lost call omits an object or keeps it
live, so from one in twenty on, live bytes may be off by more than the differences that a comparison
is made for. Of the 33 recordings in the tests, 25 lose nothing and 7 up to 3.4%; one loses 26%
(ltrace -f of a program with threads).
"""

TRUNCATED = "the compressed file ends early; its content up to there was read"
"""Loss of a trace whose container is truncated."""

LOST = (Reason.UNREADABLE, Reason.UNKNOWN_FREE, Reason.UNKNOWN_REALLOC, Reason.OVERLAP,
        Reason.IMPOSSIBLE)  # fmt: skip
"""Reasons that show that a call, or an earlier call on the same object, was lost. The other reasons
are calls without an effect, or calls of another heap."""


def lost_calls(dropped: Mapping[str, int], events: int) -> str | None:
    """Return a sentence on the lost calls if their share is above MAX_LOST, else None.

    `dropped` has the counts by reason, as in `Trace`; `events` is the number of events.
    """
    counts = {REASONS[reason]: dropped.get(REASONS[reason], 0) for reason in LOST}
    lost = sum(counts.values())
    made_events = counts[REASONS[Reason.UNKNOWN_REALLOC]] + counts[REASONS[Reason.OVERLAP]]
    calls = events + lost - made_events  # an overlap adds the lost free, an unknown realloc itself
    if lost <= max(MAX_LOST * calls, 1):  # one may be in progress when the recording begins or ends
        return None
    reasons = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
    return (
        f"{lost:,} of {calls:,} calls ({lost / calls:.1%}) are lost, or are of objects that the "
        f"recording does not know ({reasons}); more than {MAX_LOST:.0%} make a replay misleading"
    )
