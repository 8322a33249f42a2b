"""Sentences about defects of a trace that would make a replay misleading.

Calls that were dropped or repaired when the recording was read are a defect only if
`losses.lost_calls` reports them.
"""

from __future__ import annotations

from allocsim.events import Trace
from allocsim.text import counted
from allocsim.trace_stats import TraceStats

_CLAIMS = {
    "events": "events",
    "objects": "objects",
    "thread_numbers": "threads",
    "requested": "requested",
    "peak_live": "peak_live",
}
"""Maps a field of TraceStats to the figure in an allocsim trace's header that must equal it."""


def problems_of(trace: Trace, stats: TraceStats) -> list[str]:
    """Return one sentence per defect. Invalid events come first, wrong header figures last."""
    problems = [
        f"event {first:,} {meaning}" + (f" ({count:,} such events)" if count > 1 else "")
        for meaning, (count, first) in stats.faults.items()
    ]
    if stats.threads < stats.thread_numbers:
        problems.append(
            f"thread numbers have gaps: calls come from {counted(stats.threads, 'thread')}, and "
            f"the highest number is {stats.thread_numbers - 1:,}"
        )
    problems += [f"the recording is incomplete: {loss}" for loss in trace.losses]
    claims = trace.description.get("claims", {})
    for figure, claim in _CLAIMS.items():
        if claim in claims and claims[claim] != getattr(stats, figure):
            problems.append(
                f"the header says {claim} = {claims[claim]:,}, but the events give "
                f"{getattr(stats, figure):,}"
            )
    return problems
