"""Conclusions from a comparison, and warnings that limit them, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from allocsim import __version__
from allocsim.benchmark.comparison import Comparison
from allocsim.benchmark.figures import Row
from allocsim.benchmark.subject import library_of
from allocsim.benchmark.thread_ends import INFERRED
from allocsim.benchmark.threads.window import MAX_STRAY
from allocsim.libraries.find import PREFIX, is_own_glibc
from allocsim.reports.comparison import AFTER_FREE, Compared, label
from allocsim.reports.durations import duration_warning, recorded_time
from allocsim.reports.peak_range import lowest_peak
from allocsim.reports.predictions import prediction_warnings
from allocsim.reports.ranking import PEAK_NOISE
from allocsim.reports.thread_overlap import overlap_warning, recordings_warning
from allocsim.reports.trace_warnings import trace_warnings
from allocsim.reports.verdicts import fastest_sentence, lowest_peak_sentence
from allocsim.spread import MAX_SPREAD
from allocsim.text import counted, format_bytes

MISSED = 0.02
"""Share by which the kernel's peak RSS may exceed the measured peak without a warning."""

MISSED_BYTES = 1 << 20
"""Bytes by which the kernel's peak RSS may exceed the measured peak, in addition to MISSED. The
kernel's peak includes file pages, such as those of a library's code."""


def conclusions(compared: Compared) -> list[str]:
    """Return sentences about the best and worst subjects, or [] if fewer than two have figures."""
    rows = compared.comparison.rows_with_peaks
    if len(rows) < 2:
        return []
    lowest = lowest_peak_sentence(rows) if compared.comparison.ranks_peaks else ""
    return [text for text in (lowest, fastest_sentence(rows), _largest_after(rows)) if text]


def conditions(compared: Compared) -> str:
    """Return the conditions and the versions of a comparison, in sentences."""
    how = compared.comparison.conditions
    runs = f"{counted(how.runs, 'run')} after {counted(how.warmup, 'warm-up run')}"
    both = f"fresh processes, one for memory and one for times ({runs})"
    processes = both if how.timed else "a fresh process, which measures memory only"
    versions = [(label(row), row.about.version) for row in compared.comparison.rows]
    allocators = [f"{name} {version}" for name, version in versions if version]
    measured = ", ".join([f"allocsim {__version__}", *allocators])
    paced = " and, for libraries, `--pace recorded`" if how.paced else ""
    return (
        f"Replayed on {_on_threads(compared.comparison)}, with `--touch {how.touch.name.lower()}`"
        f"{paced}; each subject in {processes}. {recorded_time(compared.comparison)}"
        f"{_driver_share(compared)}"
        f"Measured with {measured}."
    )


def _on_threads(comparison: Comparison) -> str:
    """Return a phrase: the threads of the replay, and whether their ends were inferred."""
    workload = comparison.workload
    if not workload.recorded:
        return "one thread"
    ends = f", whose ends are {workload.ends}" if workload.ends else ""
    windows = [row.times for row in comparison.rows if row.times and row.times.window]
    threads = f"the {counted(workload.threads, 'recorded thread')}{ends}"
    if not windows:
        return threads
    at_once, window = windows[0].threads, windows[0].window or 0
    return (
        f"{threads} (memory is measured in the recorded order, and CPU time in windows of "
        f"{counted(window, 'event')}; threads that begin in a window start when the window starts, "
        f"and no window has more than {counted(at_once, 'thread')})"
    )


def _driver_share(compared: Compared) -> str:
    """Return a sentence about the driver's share of a library's time, or "" if it is not known."""
    rows = compared.comparison.rows
    shares = [row.times.driver for row in rows if row.times and row.times.driver is not None]
    if not shares:
        return ""
    share = f"{median(shares):.1f} ns/event"
    return (
        f"Times are CPU time. A library's time includes {share} for the loop that makes the calls. "
    )


def warnings(comparison: Comparison) -> list[str]:
    """Return the warnings that limit the conclusions."""
    about = (_threads, _ends, _ranges, duration_warning, recordings_warning, overlap_warning)
    texts = [text(comparison) for text in (*about, _strays, _single_run, _spreads)]
    is_inferred = comparison.workload.ends == "inferred"
    sentences = [f"{text}." for text in trace_warnings(comparison.workload.trace, is_inferred)]
    sentences += [*filter(None, texts), *comparison.recording_warnings]
    if comparison.caution:
        sentences.append(f"{comparison.caution}.")
    sentences += prediction_warnings(comparison)
    for row in comparison.rows:
        library = library_of(row.subject)
        if library and is_own_glibc(library) and row.memory and row.about.host is None:
            sentences.append(
                f"{label(row)} also served Python in the measured process, so the library's heap "
                "was not empty at the start; if mimalloc or jemalloc is installed, Python uses "
                "that instead."
            )
        if row.about.flaw:
            sentences.append(f"{row.subject}: {row.about.flaw}.")
        if _missed_peak(row):
            sentences.append(
                f"{row.subject}: the kernel's peak RSS, file pages included, grew by "
                f"{format_bytes(row.memory.high_water or 0)}. "  # type: ignore[union-attr]
                "This growth is well above the measured peak."
            )
    return sentences


def _threads(comparison: Comparison) -> str:
    """Return the warning that several threads were replayed on one, or ""."""
    threads = comparison.workload.threads
    if threads < 2 or comparison.workload.recorded:
        return ""
    return (
        f"the workload has {threads:,} threads but was replayed on one. Per-thread caches, "
        "arenas and lock contention are not measured, so the real program may rank these "
        "allocators differently."
    )


def _ends(comparison: Comparison) -> str:
    """Return the warning that the ends of threads were inferred, or ""."""
    return f"{INFERRED}." if comparison.workload.ends == "inferred" else ""


def _ranges(comparison: Comparison) -> str:
    """Return the explanation of peaks that are ranges, or ""."""
    if not any(lowest_peak(row) is not None for row in comparison.rows):
        return ""
    return (
        "the recording does not say how much of the allocated memory the program writes to, so "
        "some peaks are ranges: the low end is the peak with `--touch first`, the high end the "
        "peak with `--touch page`. The recorder `preload` stores how much of each large object the "
        "program writes to."
    )


def _strays(comparison: Comparison) -> str:
    """Return the warning that live bytes may exceed the recorded peak within a window, or ""."""
    strays = [row.times.stray for row in comparison.rows if row.times and row.times.stray]
    if max(strays, default=0) <= MAX_STRAY:
        return ""
    return (
        f"times: within a window, live bytes may exceed the recorded peak by {max(strays):.0%}, "
        "because threads run ahead of each other."
    )


def _single_run(comparison: Comparison) -> str:
    """Return the warning about times of a single run, or "" if fewer than two rows have them."""
    single = [row for row in comparison.rows if row.times and len(row.times.runs) == 1]
    if len(single) < 2:
        return ""
    return "times of a single run are not ranked; use --runs 5."


def _spreads(comparison: Comparison) -> str:
    """Return the warning about subjects whose runs vary too much, or "" if no runs do."""
    wide = [row for row in comparison.rows if row.times and (row.times.spread or 0) > MAX_SPREAD]
    if not wide:
        return ""
    spreads = ", ".join(f"{label(row)} {row.times.spread or 0:.1%}" for row in wide if row.times)
    return (
        f"timings vary too much to compare ({spreads}); reduce the load on the machine or "
        "increase --runs."
    )


def compare_counters(comparison: Comparison) -> list[str]:
    """Compare the counters of each design with those of the library that it reproduces.

    Returns one sentence for each design that was measured along with its library.
    """
    by_name = {row.subject: row for row in comparison.rows}
    sentences = []
    for name, design in by_name.items():
        library = by_name.get(PREFIX + name)
        if library and design.memory and library.memory:
            ours, theirs = design.memory.counters, library.memory.counters
            if common := [key for key in theirs if key in ours]:
                sentences.append(_equality(name, [(key, ours[key], theirs[key]) for key in common]))
    return sentences


def _equality(name: str, pairs: Sequence[tuple[str, int, int]]) -> str:
    """Return a sentence that names the counters that differ, or says that all are equal.

    `pairs` has (counter, value of the design, value of the library).
    """
    different = [pair for pair in pairs if pair[1] != pair[2]]
    names = f"{name} and {PREFIX}{name}"
    if not different:
        return f"{names}: all {len(pairs)} counters are equal at the end."
    values = ", ".join(f"{key} ({ours:,} and {theirs:,})" for key, ours, theirs in different)
    return (
        f"{names}: {len(different)} of {len(pairs)} counters differ at the end (design and "
        f"library): {values}."
    )


def _largest_after(rows: Sequence[Row]) -> str:
    """Name the subjects with the largest footprint once everything is freed.

    Subjects within PEAK_NOISE of the largest are named too.
    """
    ranked = sorted(((AFTER_FREE.of(row) or 0, label(row)) for row in rows), reverse=True)
    close = [pair for pair in ranked if pair[0] * (1 + PEAK_NOISE) >= ranked[0][0]]
    named = "; ".join(f"{name}, {format_bytes(size)}" for size, name in close)
    return f"Largest after freeing everything: {named}."


def _missed_peak(row: Row) -> bool:
    """Return whether the kernel's peak RSS is well above the measured peak."""
    if row.memory is None or row.memory.high_water is None:
        return False
    allowed = row.memory.resident_peak * (1 + MISSED) + MISSED_BYTES
    return row.memory.high_water > allowed
