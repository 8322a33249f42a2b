"""Cautions: how far a trace can be trusted that lacks something which its recorder did not see."""

from __future__ import annotations

from allocsim.events import Trace

NO_THREADS = (
    "the recorder of this trace does not know threads: all calls are replayed on one. If the "
    "program has several, per-thread caches and arenas are not measured"
)
NO_THREAD_ENDS = (
    "the recorder of this trace does not know when threads end: what the cache of an ended thread "
    "holds stays there"
)
NO_REALLOCS = (
    "the recorder of this trace shows a realloc as a free and a malloc: growing in place and the "
    "time of copying are not measured"
)
NO_ALIGNED_CALLS = (
    "the recorder of this trace does not see all aligned allocations, or not their alignment"
)


def cautions_of(trace: Trace) -> list[str]:
    """Return a sentence for each thing that the trace lacks and that a replay would show."""
    known = trace.capabilities
    return [
        *(f"the recording is incomplete: {loss}" for loss in trace.losses),
        *([NO_THREADS] if known.threads == "no" else []),
        *([NO_THREAD_ENDS] if known.thread_ends == "no" and _has_threads(trace) else []),
        *([NO_REALLOCS] if known.reallocs == "no" else []),
        *([NO_ALIGNED_CALLS] if known.aligned_calls in ("no", "partly") else []),
    ]


def _has_threads(trace: Trace) -> bool:
    """Return whether the header of an allocsim trace names several threads."""
    return bool(trace.description.get("claims", {}).get("threads", 1) > 1)
