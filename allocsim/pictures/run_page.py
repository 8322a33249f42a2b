"""The page of a replay."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from allocsim import __version__
from allocsim.core.records import PARTS
from allocsim.designs import ClassUse
from allocsim.pictures.bars import Bar, bars
from allocsim.pictures.figure import Figure
from allocsim.pictures.moments import moments_table
from allocsim.pictures.page import Page, Section, facts, listed, warnings
from allocsim.pictures.timeline import Point, timeline
from allocsim.profile import METADATA_MEANING, PART_MEANINGS, Profile, Snapshot
from allocsim.reports import Result
from allocsim.reports.phrases import dropped_calls, headline, percent, summary, verification
from allocsim.reports.trace_warnings import trace_warnings
from allocsim.text import counted, format_bytes

POINTS = 200
"""Maximum number of samples in the timeline. The peak and the chosen moment are added."""

CLASSES = 8
"""Maximum number of size classes that are drawn."""


def run_page(result: Result) -> Page:
    """Return the page: the summary, pictures, and the method of measurement."""
    sections = [_answer(result), _over_time(result.profile)]
    if any(each.in_use + each.free for each in result.profile.classes):
        sections.append(Section("classes", "Size classes", [_classes(result.profile)]))
    return Page(
        title=f"{result.trace.name} on {result.design}",
        lead=summary(result.profile),
        sections=[*sections, _how(result)],
    )


def _answer(result: Result) -> Section:
    """Return the summary of the run, and the footprint by part."""
    profile, trace = result.profile, result.trace
    lines = [headline(result), profile.mode, verification(profile)]
    cautions = [*trace_warnings(trace, profile=profile), *filter(None, [dropped_calls(trace)])]
    sentences = listed([*filter(None, lines)])
    return Section("answer", "Answer", [sentences, _parts(profile), warnings(cautions)])


def _parts(profile: Profile) -> Figure:
    """Return the figure of the parts of the footprint at the peak and at the end."""
    chosen = profile.at_moment or profile.at_end
    second = f"after event {chosen.event:,}" if profile.at_moment else "at the end"
    moments = {"at the peak": profile.at_peak, second: chosen}
    rows = [
        Bar(name, format_bytes(each.footprint), footprint_parts(each.parts, each.metadata))
        for name, each in moments.items()
    ]
    meanings = {**PART_MEANINGS, "metadata": METADATA_MEANING, **profile.part_meanings}
    return Figure(
        title="The footprint by part",
        summary="Each byte of the footprint has one use. Released pages are not part of it.",
        view=lambda width: bars(rows, width),
        titles=("part", *(title for name in moments for title in (name, "share")), "meaning"),
        rows=[
            [name, *_cells(name, [*moments.values()]), meaning]
            for name, meaning in meanings.items()
        ],
        left=(0, 5),
    )


def _cells(name: str, moments: Sequence[Snapshot]) -> list[str]:
    """Return the bytes of a part and its share of the footprint, at each moment."""
    cells = []
    for moment in moments:
        size = moment.metadata if name == "metadata" else moment.parts[name]
        share = "" if name == "released" else percent(size, moment.footprint)
        cells += [format_bytes(size), share]
    return cells


def footprint_parts(parts: Mapping[str, int], metadata: int) -> dict[str, int]:
    """Return the parts that sum to the footprint: without released pages, with metadata."""
    return {name: int(parts[name]) for name in PARTS if name != "released"} | {
        "metadata": int(metadata)
    }


def _over_time(profile: Profile) -> Section:
    """Return the timeline and the table of moments."""
    moment = profile.at_moment or profile.at_peak
    name = "chosen moment" if profile.at_moment else "peak"
    marked = (f"{name} (event {moment.event:,})", moment.event)
    return Section(
        "time",
        "Over time",
        [timeline(points_of(profile, moment), marked), moments_table(profile.moments)],
    )


def points_of(profile: Profile, moment: Snapshot) -> list[Point]:
    """Return the peak, `moment` and at most POINTS evenly spaced samples, in order of events."""
    samples = profile.samples
    count = min(POINTS, len(samples))
    chosen = samples[np.unique(np.arange(1, count + 1) * len(samples) // count - 1)]
    parts_at = {int(each["event"]): footprint_parts(each, each["metadata"]) for each in chosen}
    for each in (profile.at_peak, moment):
        parts_at[each.event] = footprint_parts(each.parts, each.metadata)
    return [Point(event, parts_at[event]) for event in sorted(parts_at)]


def _classes(profile: Profile) -> Figure:
    """Return the figure of the size classes with the most bytes."""
    used = [each for each in profile.classes if each.in_use + each.free]
    used.sort(key=lambda each: -sum(_class_parts(each).values()))
    rows = []
    for each in used[:CLASSES]:
        parts = _class_parts(each)
        rows.append(Bar(f"{each.object_size:,} B", format_bytes(sum(parts.values())), parts))
    when = "at the chosen moment" if profile.at_moment else "at the end"
    return Figure(
        title="Size classes",
        summary=f"Bytes of objects in use, rounding included, and of free objects, {when}. Number "
        f"of size classes in use: {len(used)}.",
        view=lambda width: bars(rows, width),
        titles=("object size", "in use", "thread caches", "transfer cache", "central", "spans"),
        rows=[[f"{each.object_size:,} B", *_counts(each)] for each in used],
    )


def _class_parts(use: ClassUse) -> dict[str, int]:
    """Return the bytes of the objects of a class, by where they are."""
    counts = {
        "live": use.in_use,
        "thread_cache": use.cached,
        "transfer": use.transfer,
        "central": use.central,
    }
    return {name: count * use.object_size for name, count in counts.items()}


def _counts(use: ClassUse) -> list[str]:
    """Return the cells that follow the object size in the table row of a class."""
    return [
        f"{count:,}" for count in (use.in_use, use.cached, use.transfer, use.central, use.spans)
    ]


def _how(result: Result) -> Section:
    """Return how the figures were measured."""
    parameters = ", ".join(f"{name}={value}" for name, value in result.parameters.items())
    named = [
        ("command", result.command),
        ("version", f"allocsim {__version__}"),
        ("workload", f"{result.trace.name}, {counted(result.profile.events, 'event')}"),
        ("design", result.design),
        ("parameters", parameters or "none"),
    ]
    notes = [f"note: {note}" for note in result.trace.notes]
    return Section("how", "How it was measured", [facts(named), listed(notes)])
