"""Warnings about what the recorder of a trace did not record, and how this affects a replay."""

from __future__ import annotations

from allocsim.events import Trace
from allocsim.profile import Profile

NO_THREADS = (
    "the recorder of this trace does not record threads, so all calls are replayed on one thread. "
    "If the program has several threads, its per-thread caches and arenas are not measured"
)
NO_THREAD_ENDS = (
    "the recording does not say when threads end, so free objects stay in the caches of threads "
    "that may have ended; `compare` and `check` end each thread after its last event"
)
NO_REALLOCS = (
    "the recorder of this trace records a realloc as a free and a malloc, so growing in place and "
    "the time of copying are not measured"
)
NO_ALIGNED_CALLS = (
    "the recorder of this trace misses some or all aligned allocations, or their alignments"
)


def trace_warnings(
    trace: Trace, ends_inferred: bool = False, profile: Profile | None = None
) -> list[str]:
    """Return a sentence for each defect of the trace that affects a replay.

    `ends_inferred` says whether the replay inferred the missing ends of threads. `profile` is the
    result of the replay. Without a profile, missing ends are detected only in an allocsim trace.
    """
    known = trace.capabilities
    return [
        *(f"the recording is incomplete: {loss}" for loss in trace.losses),
        *([NO_THREADS] if known.threads == "no" else []),
        *([NO_THREAD_ENDS] if not ends_inferred and _lacks_ends(trace, profile) else []),
        *([NO_REALLOCS] if known.reallocs == "no" else []),
        *([NO_ALIGNED_CALLS] if known.aligned_calls in ("no", "partly") else []),
    ]


def _lacks_ends(trace: Trace, profile: Profile | None) -> bool:
    """Return whether a recording has several threads, but their ends were not recorded.

    Without a profile, the number of threads is known only for an allocsim trace, because its header
    has the number (`claims`).
    """
    if profile is not None:
        may_lack = trace.is_recorded and trace.capabilities.thread_ends != "yes"
        return may_lack and profile.no_thread_ends
    has_threads = bool(trace.description.get("claims", {}).get("threads", 1) > 1)
    return has_threads and trace.capabilities.thread_ends == "no"
