"""The sentences and small marks that reports share: headline, verdict, percent, bar, sparkline.

Below the reports for people. Its one rule: plain text, so that screen and Markdown say the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from allocsim.events import Trace
from allocsim.profile import Profile
from allocsim.reports import Result
from allocsim.text import counted, format_bytes

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"


def headline(result: Result) -> str:
    """What was played on what, and how fast."""
    profile = result.profile
    return (
        f"{result.trace.name} on {result.design}: {counted(profile.events, 'event')}, "
        f"{profile.ns_per_event:.1f} ns an event"
    )


def verdict(profile: Profile) -> str:
    """The answer in a sentence: the footprint at its peak against what was ever live."""
    peak = profile.at_peak
    footprint, live = format_bytes(peak.footprint), format_bytes(profile.peak_live)
    if not profile.peak_live:
        return f"The footprint peaks at {footprint}; nothing was ever live."
    return (
        f"The footprint peaks at {footprint}, {peak.footprint / profile.peak_live:.2f} times the "
        f"{live} that were live at most; fragmentation then {100 * peak.fragmentation:.1f} %."
    )


def proved(profile: Profile) -> str:
    """What was verified and held, in a line; empty if nothing was to be."""
    stamps = f"{counted(profile.stamps, 'stamp')} whole" if profile.stamps else ""
    checks = f"every invariant held {counted(profile.checks, 'time')}" if profile.checks else ""
    return f"verified: {' · '.join(filter(None, (stamps, checks)))}" if stamps or checks else ""


def left_out(trace: Trace) -> str:
    """What an import left out, in a line; empty if it was nothing."""
    if not trace.dropped:
        return ""
    dropped = ", ".join(f"{name} {count:,}" for name, count in trace.dropped.items())
    return f"left out of the recording: {dropped}"


def percent(part: int, whole: int) -> str:
    """A share, as in "12.5 %"; empty for nothing."""
    return f"{100 * part / whole:.1f} %" if part and whole else ""


def bar(part: int, whole: int, width: int = 20) -> str:
    """A bar of at most `width` characters for a share of the whole, in eighths of a character."""
    if part <= 0 or whole <= 0:
        return ""
    eighths = max(round(8 * width * part / whole), 1)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def sparkline(values: Sequence[int], most: int, width: int = 60) -> str:
    """`values` as a line of at most `width` blocks: each stretch's highest, scaled to `most`."""
    count = min(width, len(values))
    if not count or most <= 0:
        return ""
    cuts = [index * len(values) // count for index in range(count + 1)]
    highest = [max(values[a:b]) for a, b in pairwise(cuts)]
    return "".join(_HEIGHTS[min(int(8 * value / most), 7)] for value in highest)
