"""What the figures of a comparison show, in sentences, and what should make the reader careful.

Beside the table of `comparison`. Its one rule: a sentence claims no order that the spread of the
runs does not carry.
"""

from __future__ import annotations

from collections.abc import Sequence

from allocsim.benchmark.comparison import WIDE, Comparison
from allocsim.benchmark.figures import Row
from allocsim.libraries.find import PREFIX
from allocsim.reports.comparison import FOOTPRINT, KEPT, TIME, Compared, label
from allocsim.text import format_bytes

MISSED = 0.02
"""A share by which the kernel's own note of the peak may pass what was sampled."""

MISSED_BYTES = 1 << 20
"""And bytes: that note counts the pages of files too, such as a library's code."""


def conclusions(shown: Compared) -> list[str]:
    """Who is smallest at the peak, who is fastest, who keeps most; empty with one subject."""
    rows = [row for row in shown.comparison.rows if row.memory]
    if len(rows) < 2:
        return []
    return [text for text in (_smallest(rows), _fastest(rows), _keeps_most(rows)) if text]


def conditions(comparison: Comparison) -> str:
    """How it was measured, in a sentence."""
    taken = comparison.conditions
    runs = f"{taken.runs} run{'s' * (taken.runs != 1)} after {taken.warmup} to warm up"
    return (
        f"Played on one thread, {taken.touch.name.lower()} touched; each subject in fresh "
        f"processes: one for memory, one for time ({runs})."
    )


def warnings(comparison: Comparison) -> list[str]:
    """What the reader should know before concluding anything."""
    found = [text for text in (_threads(comparison), _spreads(comparison)) if text]
    for row in comparison.rows:
        if row.subject == f"{PREFIX}glibc" and row.memory and row.about.host is None:
            found.append(
                "lib:glibc served Python in its process too, since neither mimalloc nor jemalloc "
                "is here to do it: its figures start from a used heap"
            )
        if _missed_peak(row):
            found.append(
                f"{row.subject}: the kernel noted a peak of "
                f"{format_bytes(row.memory.high_water or 0)}, between two of the samples"  # type: ignore[union-attr]
            )
    return found


def _threads(comparison: Comparison) -> str:
    """What one thread does not show of a workload that had several; empty if it had one."""
    threads = comparison.workload.threads
    if threads < 2:
        return ""
    return (
        f"the workload has {threads:,} threads and was played on one: what a library keeps for "
        "each of them (arenas, caches) and waiting for locks are not in these figures, and in the "
        "program itself the order may be another"
    )


def _spreads(comparison: Comparison) -> str:
    """Whose runs lie too far apart; empty if nobody's do."""
    wide = [row for row in comparison.rows if row.times and (row.times.spread or 0) > WIDE]
    if not wide:
        return ""
    told = ", ".join(f"{label(row)} {row.times.spread or 0:.0%}" for row in wide if row.times)
    return (
        f"the runs lie too far apart to conclude much from times ({told}): "
        "quieten the machine, or ask for more --runs"
    )


def twins(comparison: Comparison) -> list[str]:
    """For each design beside the library that it simulates: whether their counters are equal."""
    by_name = {row.subject: row for row in comparison.rows}
    found = []
    for name, design in by_name.items():
        library = by_name.get(PREFIX + name)
        if library and design.memory and library.memory:
            ours, theirs = design.memory.counters, library.memory.counters
            if common := [key for key in theirs if key in ours]:
                found.append(_twin(name, [(key, ours[key], theirs[key]) for key in common]))
    return found


def _twin(name: str, pairs: Sequence[tuple[str, int, int]]) -> str:
    """Whether pairs of counters are equal, and which are not."""
    different = [pair for pair in pairs if pair[1] != pair[2]]
    if not different:
        return f"{name} and {PREFIX}{name}: all {len(pairs)} counters are equal at the end."
    told = ", ".join(f"{key} {ours:,} and {theirs:,}" for key, ours, theirs in different)
    return (
        f"{name} and {PREFIX}{name}: {len(different)} of {len(pairs)} counters differ at the end: "
        f"{told}."
    )


def _smallest(rows: Sequence[Row]) -> str:
    """Who is smallest at the peak, and what the largest takes."""
    ranked = sorted(rows, key=lambda row: FOOTPRINT.of(row) or 0)
    first, last = ranked[0], ranked[-1]
    low, high = FOOTPRINT.of(first) or 0, FOOTPRINT.of(last) or 0
    ratio = f", {high / low:.2f} times that" if low else ""
    return (
        f"Smallest at the peak is {label(first)} with {format_bytes(low)}; "
        f"{label(last)} takes {format_bytes(high)}{ratio}."
    )


def _fastest(rows: Sequence[Row]) -> str | None:
    """Who is fastest, and who cannot be told from it."""
    timed = sorted((row for row in rows if row.times), key=lambda row: TIME.of(row) or 0)
    if len(timed) < 2:
        return None
    first, others = timed[0], timed[1:]
    best = first.times
    assert best is not None
    close = [row for row in others if row.times and row.times.middle[0] <= best.middle[1]]
    if close:
        names = ", ".join(label(row) for row in close)
        return (
            f"Fastest is {label(first)} with {best.ns:.1f} ns an event, but its runs overlap "
            f"those of {names}."
        )
    slowest = others[-1]
    return (
        f"Fastest is {label(first)} with {best.ns:.1f} ns an event; "
        f"{label(slowest)} takes {(TIME.of(slowest) or 0):.1f}."
    )


def _keeps_most(rows: Sequence[Row]) -> str:
    """Who keeps most when nothing is live any more."""
    most = max(rows, key=lambda row: KEPT.of(row) or 0)
    return f"When all is freed, {label(most)} keeps most: {format_bytes(KEPT.of(most) or 0)}."


def _missed_peak(row: Row) -> bool:
    """Whether the kernel noted a peak that lies well above every sample."""
    if row.memory is None or row.memory.high_water is None:
        return False
    allowed = row.memory.resident_peak * (1 + MISSED) + MISSED_BYTES
    return row.memory.high_water > allowed
