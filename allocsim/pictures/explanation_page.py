"""The HTML page that explains a footprint at one moment.

An owner is a group of live objects, such as those of one size or of one call site.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from allocsim import __version__
from allocsim.events import Trace
from allocsim.explanation.evidence import Evidence
from allocsim.explanation.explanation import Explanation
from allocsim.explanation.owners import Owner
from allocsim.markup import Markup
from allocsim.pictures.bars import Bar, bars
from allocsim.pictures.figure import Figure
from allocsim.pictures.heap_map import heap_map
from allocsim.pictures.icicle import icicle
from allocsim.pictures.moments import moments_table
from allocsim.pictures.page import Page, Section, facts, listed, warnings
from allocsim.pictures.size_lifetime import size_lifetime
from allocsim.pictures.timeline import Point, positive, timeline
from allocsim.reports.explanation_screen import MEANING, TITLES, change_of, when
from allocsim.reports.phrases import percent
from allocsim.reports.trace_warnings import trace_warnings
from allocsim.text import counted, format_bytes

ROWS = 8
"""Maximum number of owners in a picture. The others are summed in one bar."""


MIN_SHARE = 1000
"""An owner of less than 1/MIN_SHARE of the footprint has no bar of its own."""


@dataclass(frozen=True)
class Shown:
    """The content of a page."""

    explanation: Explanation
    """Invariant: its `evidence` is not None."""
    trace: Trace
    command: str

    @property
    def evidence(self) -> Evidence:
        """The evidence of the explanation."""
        assert self.explanation.evidence is not None
        return self.explanation.evidence


def explanation_page(shown: Shown) -> Page:
    """Return the page: the conclusions, pictures, and the method of measurement."""
    explanation, moment = shown.explanation, shown.explanation.moment
    factor = "" if moment.overhead is None else f" ({moment.overhead:.2f}x)"
    sections = [_answer(shown), _over_time(shown), *_owners(shown), *_heap(shown.evidence)]
    if explanation.what_ifs:
        sections.append(Section("what-if", "What if", [_what_ifs(explanation)]))
    return Page(
        title=f"{shown.trace.name} on {explanation.subject}",
        lead=f"{format_bytes(moment.footprint)} for {format_bytes(moment.live)} live{factor}, at "
        f"{when(moment)}",
        sections=[*sections, _how(shown)],
    )


def _answer(shown: Shown) -> Section:
    """Return the conclusions, and the footprint by part."""
    explanation = shown.explanation
    return Section(
        "answer",
        "Answer",
        [listed(explanation.sentences), _parts(explanation), warnings(explanation.cautions)],
    )


def _parts(explanation: Explanation) -> Figure:
    """Return the picture of the parts of the footprint at the explained moment: one bar."""
    whole, parts = explanation.moment.footprint, positive(explanation.parts)
    row = Bar("Where the bytes are", format_bytes(whole), parts)
    return Figure(
        title="The footprint by part",
        summary=", ".join(
            f"{name} {format_bytes(size)}" + (f" ({percent(size, whole)})" if size else "")
            for name, size in explanation.parts.items()
        ),
        view=lambda width: bars([row], width),
        titles=("part", "bytes", "share"),
        rows=[
            [name, format_bytes(size), percent(size, whole)]
            for name, size in explanation.parts.items()
        ],
    )


def _over_time(shown: Shown) -> Section:
    """Return the timeline and the table of moments."""
    explanation = shown.explanation
    # The snapshots come from another replay. At the explained moment, the figures of the
    # explanation replace those of the snapshot, so that picture and text agree.
    points = [
        Point(
            snapshot.event,
            explanation.parts if snapshot.event == explanation.moment.event else snapshot.parts,
        )
        for snapshot in shown.evidence.snapshots
    ]
    content: list[Markup | Figure] = [moments_table(explanation.moments)]
    if points:
        content.insert(
            0, timeline(points, (when(explanation.moment), explanation.moment.event or 0))
        )
    return Section("time", "Over time", content)


def _owners(shown: Shown) -> list[Section]:
    """Return a section for each way to group objects, and a section for stacks if there are any."""
    explanation, sections = shown.explanation, []
    for by in dict.fromkeys(owner.by for owner in explanation.owners):
        rows = [owner for owner in explanation.owners if owner.by == by]
        sections.append(
            Section(f"by-{by}", f"Owners by {TITLES[by]}", [_bars_of(by, rows, explanation)])
        )
    stacks = shown.evidence.stacks()
    if stacks is not None:
        sections.insert(1, Section("stacks", "Owners by stack", [icicle(stacks)]))
    return sections


def _bars_of(by: str, owners: Sequence[Owner], explanation: Explanation) -> Figure:
    """Return the picture of the largest owners, for objects grouped as `by` says."""
    whole, unowned = explanation.moment.footprint, sum(explanation.unowned.values())
    large = [owner for owner in owners[:ROWS] if owner.owned * MIN_SHARE >= whole]
    rows = [_bar(owner.name, _held(owner), whole) for owner in large]
    if len(owners) > len(large):
        rest = [_held(owner) for owner in owners[len(large) :]]
        sums = {name: sum(each[name] for each in rest) for name in rest[0]}
        rows.append(_bar(f"{counted(len(rest), 'other')}", sums, whole))
    if unowned:
        rows.append(_bar("no live object", explanation.unowned, whole))
    untouched = " - untouched" if "untouched" in explanation.parts else ""
    table_rows = [[owner.name, *_figures(owner, whole)] for owner in owners]
    table_rows.append(["no live object", *[""] * 4, format_bytes(unowned), percent(unowned, whole)])
    return Figure(
        title=f"Owners by {TITLES[by]}",
        summary=f"{MEANING.format(unit=explanation.unit, untouched=untouched)}.",
        view=lambda width: bars(rows, width),
        titles=(TITLES[by], *COLUMNS),
        rows=table_rows,
    )


COLUMNS = ("objects", "live", "rounding", "pinned", "owned", "share", "only", "some")
"""The columns of a table of owners, after the name."""


def _bar(name: str, parts: Mapping[str, int], whole: int) -> Bar:
    """Return the bar of an owner."""
    size = sum(parts.values())
    return Bar(name, f"{format_bytes(size)}, {percent(size, whole)}", parts)


def _held(owner: Owner) -> dict[str, int]:
    """Return the bytes that an owner owns, by part."""
    live = max(owner.live - owner.untouched, 0)
    rounding = owner.owned - owner.pinned - live
    return {"live": live, "rounding": rounding, "pinned": owner.pinned}


def _figures(owner: Owner, whole: int) -> list[str]:
    """Return the cells that follow the name in the table row of an owner."""
    names = ("live", "rounding", "pinned", "owned")
    sizes = [format_bytes(getattr(owner, name)) for name in names]
    bounds = [format_bytes(owner.only), format_bytes(owner.some)]
    return [f"{owner.objects:,}", *sizes, percent(owner.owned, whole), *bounds]


def _heap(evidence: Evidence) -> list[Section]:
    """Return a section with the heap map, and one with the size and lifetime of live objects.

    A section without data is omitted.
    """
    sections = []
    if any(len(snapshot.regions) for snapshot in evidence.snapshots):
        sections.append(Section("map", "Heap map", [heap_map(evidence.snapshots)]))
    if len(evidence.heap.number):
        sections.append(Section("lifetime", "Size and lifetime", [size_lifetime(evidence)]))
    return sections


def _what_ifs(explanation: Explanation) -> Figure:
    """Return the picture of the experiments."""
    whole = explanation.moment.footprint
    changes = [*map(change_of, explanation.what_ifs)]
    rows = [Bar("unchanged", format_bytes(whole), {"footprint": whole})] + [
        Bar(each.what, f"{format_bytes(each.footprint)}, {change}", {"footprint": each.footprint})
        for each, change in zip(explanation.what_ifs, changes, strict=True)
    ]
    return Figure(
        title="What if",
        summary="Each bar is the footprint at the same moment with one change. The line is the "
        f"footprint without a change, {format_bytes(whole)}.",
        view=lambda width: bars(rows, width, whole),
        titles=("change", "footprint", "difference", "how"),
        rows=[
            [each.what, format_bytes(each.footprint), change, each.how]
            for each, change in zip(explanation.what_ifs, changes, strict=True)
        ],
        left=(0, 3),
    )


def _how(shown: Shown) -> Section:
    """Return how the figures were measured."""
    explanation, trace = shown.explanation, shown.trace
    moments = f"{counted(len(shown.evidence.snapshots), 'moment')} of a separate replay"
    named = [
        ("command", shown.command),
        ("version", f"allocsim {__version__}"),
        ("workload", f"{trace.name}, replayed to event {explanation.moment.event:,}"),
        ("allocator", explanation.subject),
        ("unit", f"{explanation.unit}: memory that can only be released as a whole"),
        ("pictures over time", moments),
        ("machine", f"{platform.system()} {platform.release()}, {platform.machine()}"),
    ]
    notes = [f"note: {note}" for note in trace.notes]
    return Section(
        "how", "How it was measured", [facts(named), warnings(trace_warnings(trace)), listed(notes)]
    )
