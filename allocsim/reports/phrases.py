"""Text that several reports share: headline, summary, percent, bar, sparkline.

The text is plain, so that the screen and Markdown can share it.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from allocsim.events import Trace
from allocsim.profile import Profile
from allocsim.reports import Result
from allocsim.text import counted, format_bytes, reasons_text

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"


def headline(result: Result) -> str:
    """Return the workload, the design, the events and the time per event."""
    profile = result.profile
    return (
        f"{result.trace.name} on {result.design}: {counted(profile.events, 'event')}, "
        f"{profile.ns_per_event:.1f} ns/event"
    )


def summary(profile: Profile) -> str:
    """Return sentences: the peak footprint, its ratio to peak live, the fragmentation at the peak.

    The two peaks may occur at different moments. Their ratio is therefore not called overhead,
    which compares the footprint with the live bytes of the same moment.
    """
    peak = profile.at_peak
    footprint, live = format_bytes(peak.footprint), format_bytes(profile.peak_live)
    if not profile.peak_live:
        return f"Peak footprint {footprint}; nothing was ever live."
    ratio = peak.footprint / profile.peak_live
    return (
        f"Peak footprint {footprint}, {ratio:.2f}x peak live ({live}). "
        f"Fragmentation at the peak: {peak.fragmentation:.1%}."
    )


def verification(profile: Profile) -> str:
    """Return what --verify and --check-every have checked, or "" if neither was given."""
    objects = f"{counted(profile.stamps, 'object')} intact" if profile.stamps else ""
    checks = f"all invariants held in {counted(profile.checks, 'check')}" if profile.checks else ""
    return f"verified: {' · '.join(filter(None, (objects, checks)))}" if objects or checks else ""


def dropped_calls(trace: Trace) -> str:
    """Return the counts of dropped and repaired calls by reason, or "" if all are 0."""
    if not trace.dropped:
        return ""
    return "dropped or repaired calls: " + reasons_text(trace.dropped)


def percent(part: int, whole: int) -> str:
    """Return a share, as in "12.5%", or "" if the part or the whole is 0."""
    return f"{part / whole:.1%}" if part and whole else ""


def bar(part: int, whole: int, width: int = 20) -> str:
    """Return a bar of at most `width` characters for a share, rounded to eighths of a character."""
    if part <= 0 or whole <= 0:
        return ""
    eighths = max(round(8 * width * part / whole), 1)  # a share above 0 is always visible
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def sparkline(values: Sequence[int], top: int, width: int = 60) -> str:
    """Return `values` as a line of at most `width` blocks, where a full block means `top`.

    Each block shows the maximum of its values, so that no peak is lost.
    """
    count = min(width, len(values))
    if not count or top <= 0:
        return ""
    bounds = [index * len(values) // count for index in range(count + 1)]
    highest = [max(values[start:end]) for start, end in pairwise(bounds)]
    return "".join(_HEIGHTS[min(int(8 * value / top), 7)] for value in highest)
