"""Sentences that compare two workloads: how the footprint and its owners changed."""

from __future__ import annotations

from collections.abc import Iterator

from allocsim.explanation.changes import Change, Changes
from allocsim.moments import Moment, event_at
from allocsim.text import distinct_bytes, format_bytes, format_change

LENGTHS = 20
"""The numbers of events of the two workloads are mentioned if they differ by more than 1/LENGTHS of
the first workload's number."""

EXPLAINED = 5
"""Owners are named if their bytes changed by at least 1/EXPLAINED of the change of the footprint.
"""

MAX_NAMED = 3
"""Maximum number of owners that are named."""


def change_sentences(changes: Changes) -> list[str]:
    """Return the sentences on the footprint, its owners, the peaks, and the numbers of events."""
    footprint = _on_footprint("The footprint", changes, changes.before.moment, changes.after.moment)
    return [footprint, *_on_owners(changes), *_on_peaks(changes), *_on_lengths(changes)]


def _on_footprint(figure: str, changes: Changes, before: Moment, after: Moment) -> str:
    """State the change of a footprint, or that it is noise, and the change of the live bytes."""
    change = after.footprint - before.footprint
    live = f"live bytes {format_change(after.live - before.live)}"
    if changes.is_noise(change):
        sizes = f"{format_bytes(before.footprint)} before, {format_bytes(after.footprint)} after"
        return f"{figure} is the same within noise: {sizes} ({live})."
    was, now = distinct_bytes(before.footprint, after.footprint)
    verb = "grew" if change > 0 else "shrank"
    share = f"{change / before.footprint:+.1%}, " if before.footprint else ""
    sizes = f"{was} before, {now} after ({share}{live})"
    return f"{figure} {verb} by {format_bytes(abs(change))}: {sizes}."


def _on_peaks(changes: Changes) -> Iterator[str]:
    """State the change of the peak too, unless the first workload is explained at its peak."""
    peaks = [each.moments[0] for each in (changes.before, changes.after)]
    if peaks[0].event != changes.before.moment.event:
        yield _on_footprint("The peak", changes, *peaks)


def _on_owners(changes: Changes) -> Iterator[str]:
    """Name the owners whose bytes changed most, in the first grouping (such as by call site)."""
    if not changes.owners or changes.is_noise(changes.footprint):
        return
    first = [change for change in changes.owners if change.by == changes.owners[0].by]
    large = [each for each in first if abs(each.owned) * EXPLAINED >= abs(changes.footprint)]
    for change in [each for each in large if not changes.is_noise(each.owned)][:MAX_NAMED]:
        yield _on_owner(change)


def _on_owner(change: Change) -> str:
    """State how much more or less an owner owns, and why."""
    if change.after is None:
        return f"'{change.name}' owns nothing any more; it owned {format_bytes(-change.owned)}."
    if change.before is None:
        return f"'{change.name}' is new and owns {format_bytes(change.owned)}."
    live, pinned = change.figures("live"), change.figures("pinned")
    more = "more" if change.owned > 0 else "less"
    return (
        f"'{change.name}' owns {format_bytes(abs(change.owned))} {more}: "
        f"live {format_change(live[1] - live[0])}, pinned {format_change(pinned[1] - pinned[0])}."
    )


def _on_lengths(changes: Changes) -> Iterator[str]:
    """State the numbers of events of the workloads if they differ enough (see LENGTHS)."""
    before, after = (event_at(each.moments, "end") for each in (changes.before, changes.after))
    if abs(after - before) * LENGTHS > before:
        yield (
            f"The workloads have {before:,} and {after:,} events. The footprint may differ because "
            "the program did different work."
        )
