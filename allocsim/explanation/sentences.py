"""Sentences under the tables of an explanation. Each appears only if its condition holds.

A saving in a sentence was always measured by an experiment. It is never computed from the bytes
that a group owns (its share of the footprint).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from allocsim.explanation.heap_top import HeapTop
from allocsim.explanation.noise import is_noise
from allocsim.explanation.owners import Owner
from allocsim.explanation.what_if import WhatIf
from allocsim.text import counted, distinct_bytes, format_bytes

RELEASED = 10
"""A release on request is mentioned if it frees at least footprint / RELEASED bytes."""

PINNED = 5
"""The caches, the metadata, and the free bytes that a group pins are each mentioned if they take at
least footprint / PINNED bytes."""

SAVED = 10
"""A separate heap or a setting is mentioned if it saves at least footprint / SAVED bytes."""

ROUNDED = 20
"""The rounding of a size is mentioned if it is at least footprint / ROUNDED bytes."""

HELD = 10
"""The live object with the highest address is mentioned if free memory of at least footprint / HELD
bytes is below it."""

EXPLAINED = 2
"""Factor by which two figures may differ. A separate heap for a group should save about the bytes
that the group pins; if it does not, a sentence says that these bytes do not explain the saving. A
replay without the group should save about the bytes that the group owns; if it does not, a sentence
says that owned bytes are not the bytes that would be saved."""


def sentences(
    footprint: int,
    parts: Mapping[str, int],
    owners: list[Owner],
    what_ifs: list[WhatIf],
    top: HeapTop | None = None,
) -> list[str]:
    """Return the sentences whose conditions hold, or a sentence that sums up the footprint."""
    texts = [
        *_on_release(footprint, what_ifs),
        *_on_groups(footprint, owners, what_ifs),
        *_on_top(footprint, top, what_ifs),
        *_on_settings(footprint, what_ifs),
        *_on_parts(footprint, parts),
        *_on_rounding(footprint, owners),
    ]
    texts = texts or [_nothing_to_gain(footprint, parts, what_ifs)]
    return [*texts, *_on_shares(footprint, owners, what_ifs)]


def _on_release(footprint: int, what_ifs: list[WhatIf]) -> Iterator[str]:
    """State how much a release on request frees."""
    for each in what_ifs:
        if each.kind == "release" and -each.change * RELEASED >= footprint and not each.is_noise():
            call = each.what if " " not in each.what else "A release on request"
            yield (
                f"{call} would free {format_bytes(-each.change)} of "
                f"{format_bytes(footprint)} ({each.how}): this memory is retained by the "
                "allocator's policy, not by the program."
            )


def _on_groups(footprint: int, owners: list[Owner], what_ifs: list[WhatIf]) -> Iterator[str]:
    """Name the groups that pin much memory, if a separate heap for the group saves much.

    If no experiment used a separate heap, state the footprint without the group.
    """
    replays = {(each.kind, each.group): each for each in what_ifs}
    for owner in owners:
        own_heap, never = (replays.get((kind, owner.name)) for kind in ("own heap", "never"))
        replay = own_heap or never
        if replay is None or owner.pinned * PINNED < footprint:
            continue
        if -replay.change * SAVED < footprint or replay.is_noise():
            continue
        sizes = " instead of ".join(distinct_bytes(replay.footprint, footprint))
        saved = f"the footprint would be {sizes} ({replay.how})"
        if own_heap is None:
            yield f"{_pinning(owner)} Without this group, {saved}."
        elif EXPLAINED * -replay.change < owner.pinned or EXPLAINED * owner.pinned < -replay.change:
            yield (
                f"With group '{owner.name}' in a separate heap, {saved}. The "
                f"{format_bytes(owner.pinned)} that the group pins do not explain this."
            )
        else:
            yield f"{_pinning(owner)} With this group in a separate heap, {saved}."


def _on_shares(footprint: int, owners: list[Owner], what_ifs: list[WhatIf]) -> Iterator[str]:
    """Name the groups whose owned bytes differ much from the bytes saved without the group."""
    replays = {each.group: each for each in what_ifs if each.kind == "never"}
    for owner in owners:
        replay = replays.get(owner.name)
        if replay is None or max(owner.owned, -replay.change) * SAVED < footprint:
            continue
        if EXPLAINED * -replay.change < owner.owned or EXPLAINED * owner.owned < -replay.change:
            yield (
                f"Group '{owner.name}' owns {format_bytes(owner.owned)}, but without this group "
                f"the footprint would be {_difference(replay.change)} ({replay.how}). The bytes "
                "that a group owns say whose objects use the memory, not how much would be saved "
                "without the group."
            )


def _difference(change: int) -> str:
    """Return a change of the footprint in words."""
    return f"{format_bytes(abs(change))} {'lower' if change <= 0 else 'higher'}"


def _pinning(owner: Owner) -> str:
    """State how much free memory the objects of a group pin."""
    return (
        f"Group '{owner.name}' pins {format_bytes(owner.pinned)} of free memory with "
        f"{counted(owner.objects, 'live object')} ({format_bytes(owner.live)} in all)."
    )


def _on_top(footprint: int, top: HeapTop | None, what_ifs: list[WhatIf]) -> Iterator[str]:
    """Name the group of the highest live object, and state what freeing the group releases."""
    measured = next((each for each in what_ifs if each.kind == "unasked"), None)
    if top is None or measured is None or top.free_below * HELD < footprint:
        return
    yield (
        f"The last live object, of group '{top.group}', ends {format_bytes(top.last_end)} into the "
        f"heap of {format_bytes(top.length)}. Unless a release is requested, none of the "
        f"{format_bytes(top.free_below)} of free memory below it is released. "
        f"{_without_top(footprint, top, measured)} ({measured.how})."
    )


def _without_top(footprint: int, top: HeapTop, measured: WhatIf) -> str:
    """State how much memory is released as soon as all objects of the group are freed."""
    freeing = "Freeing the whole group"
    if not measured.is_noise():
        return f"{freeing} releases {format_bytes(-measured.change)} at once"
    if is_noise(footprint, top.held):
        held = format_bytes(top.held)
        return f"{freeing} would change little: another live object ends only {held} lower"
    # glibc puts chunks of up to 128 bytes into fastbins when they are freed (_int_free).
    return (
        f"{freeing} would leave no live object in the last {format_bytes(top.held)} of the heap, "
        "but would change little: the allocator does not merge all objects of the group when they "
        "are freed"
    )


def _on_settings(footprint: int, what_ifs: list[WhatIf]) -> Iterator[str]:
    """Name the setting that saves the most, if it saves enough (see SAVED)."""
    settings = [each for each in what_ifs if each.kind == "setting"]
    best = min(settings, key=lambda each: each.footprint, default=None)
    if best is None or best.is_noise() or -best.change * SAVED < footprint:
        return
    saved = " instead of ".join(distinct_bytes(best.footprint, footprint))
    yield (
        f"With {best.what}, the footprint would be {saved} ({best.how}). Compare the time too: "
        "`allocsim compare`."
    )


def _on_parts(footprint: int, parts: Mapping[str, int]) -> Iterator[str]:
    """State that caches or metadata are a large part of the footprint."""
    caches, records = parts.get("caches", 0), parts.get("metadata", 0) + parts.get("start", 0)
    if caches * PINNED >= footprint > 0:
        yield f"Spans that hold only cached free objects take {format_bytes(caches)}."
    if records * PINNED >= footprint > 0:
        yield (
            f"The heap is small: {format_bytes(records)} of the footprint is allocator metadata "
            "and startup state."
        )


def _on_rounding(footprint: int, owners: list[Owner]) -> Iterator[str]:
    """Name the sizes that lose much to rounding."""
    for owner in owners:
        if owner.by == "size" and owner.rounding * ROUNDED >= footprint > 0:
            mean = owner.live // owner.objects
            yield (
                f"Objects of {owner.name} serve requests of {counted(mean, 'byte')} on average. "
                f"Their rounding takes {format_bytes(owner.rounding)}."
            )


def _nothing_to_gain(footprint: int, parts: Mapping[str, int], what_ifs: list[WhatIf]) -> str:
    """Return a sentence that sums up the footprint, for an explanation without conclusions.

    It says "nothing to gain" only if pinned bytes and memory without a live object together take
    less than footprint / PINNED bytes.
    """
    live = parts.get("live", 0)
    free = footprint - live - parts.get("rounding", 0) - parts.get("pinned", 0)
    pinned = parts.get("pinned", 0)
    if not what_ifs:
        verdict = "No experiments were made"
    elif (pinned + free) * PINNED >= footprint:
        verdict = f"None of {counted(len(what_ifs), 'experiment')} saves a tenth of the footprint"
    else:
        verdict = "Nothing to gain"
    return (
        f"{verdict}: of {format_bytes(footprint)}, {format_bytes(live)} are live, "
        f"{format_bytes(pinned)} pinned, {format_bytes(free)} without a live object."
    )
