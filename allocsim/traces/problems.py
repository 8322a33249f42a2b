"""What is wrong with a trace as a whole, in words.

Above the surveyor; below `allocsim trace check`. Its one rule: a problem is what could mislead
who replays the trace; what an import left out is none.
"""

from __future__ import annotations

from allocsim.events import Trace
from allocsim.trace_stats import Survey

_COUNTED = {
    "events": "events",
    "objects": "objects",
    "thread_numbers": "threads",
    "requested": "requested",
    "peak_live": "peak_live",
}
"""Figures of a Survey, and what a file of ours calls them among its claims."""


def problems_of(trace: Trace, seen: Survey) -> list[str]:
    """Each problem in a sentence, the worst first."""
    found = [
        f"event {first:,} {meaning}" + (f" ({count:,} such events)" if count > 1 else "")
        for meaning, (count, first) in seen.faults.items()
    ]
    if seen.threads < seen.thread_numbers:
        found.append(
            f"thread numbers have holes: {seen.threads:,} threads call, and the last has the "
            f"number {seen.thread_numbers - 1:,}"
        )
    claims = trace.description.get("claims", {})
    for figure, claim in _COUNTED.items():
        if claim in claims and claims[claim] != getattr(seen, figure):
            found.append(
                f"the file says {claim} = {claims[claim]:,}, its events make it "
                f"{getattr(seen, figure):,}"
            )
    return found
