"""The trace of one program image, with the times of some events and remarks for the user.

A program image is what one process runs until it calls exec or ends (see `layout`). A forked child
inherits the objects that are live in its parent, so the child's trace begins with an allocation of
each of them. To find these objects, the records of the image's ancestors are read up to the forks.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from allocsim.call_sites.numbers import CallSites, count_allocating
from allocsim.events import CHUNK, Trace
from allocsim.text import counted
from allocsim.traces.calls import TOUCHED
from allocsim.traces.event_facts import TIMES, UNTOUCHED
from allocsim.traces.event_maker import EventMaker, by_reason
from allocsim.traces.prefetch import AHEAD, read_ahead
from allocsim.traces.preload.account import account_losses, account_notes
from allocsim.traces.preload.images import Flag, Image, ancestors
from allocsim.traces.preload.inherited import LiveObjects
from allocsim.traces.preload.lane_files import has_files
from allocsim.traces.preload.reader import ImageReader
from allocsim.traces.preload.stacks import site_table
from allocsim.traces.preload.time_table import TimeTable
from allocsim.traces.preload.untouched import UntouchedBlocks
from allocsim.traces.recording import SELECT_PROCESS

FORMAT = "preload"
"""Name of the format in the description of a trace."""


class ImageTrace(Trace):
    """The trace of an image. The counts in `reader` are complete after the last event."""

    reader: ImageReader
    inherited: int = 0
    """Number of objects that the image inherited."""


def open_image(image: Image, images: list[Image], ns_per_tick: float) -> ImageTrace:
    """Open the trace of an image; `images` are all images of the recording.

    `ns_per_tick` is the unit of the image's time stamps in nanoseconds (see `layout`).
    """
    reader = ImageReader(image)
    description = {"kind": "trace", "format": FORMAT, "process": image.process}
    trace = ImageTrace(image.program, iter(()), description)
    trace.reader, trace.progress = reader, lambda: reader.share_read
    trace.header_room = TimeTable.MAX_TEXT + UntouchedBlocks.MAX_TEXT
    trace.sites = CallSites() if has_files(image.stacks) else None
    trace.chunks = _events(trace, image, images, ns_per_tick)
    return trace


def _events(
    trace: ImageTrace, image: Image, images: list[Image], ns_per_tick: float
) -> Iterator[Any]:
    """Yield allocations of the inherited objects, then the image's own events.

    At the end, complete the trace's description, notes and losses.
    """
    # AHEAD + 2 arrays: up to AHEAD wait in the queue of `read_ahead`, the consumer reads one, and
    # the maker fills one.
    maker, times = EventMaker(trace.name, 0, AHEAD + 2, trace.sites), TimeTable()
    untouched = UntouchedBlocks()
    for chunk in _inherited(trace.sites, maker, image, images):
        trace.inherited += len(chunk)
        yield chunk
    own = read_ahead(_own(trace, maker, times, ns_per_tick))
    yield from untouched.without_notes(own, trace.inherited)
    trace.dropped.update(by_reason(maker.ids.dropped))
    trace.description[TIMES] = times.points
    trace.description[UNTOUCHED] = untouched.pairs()
    trace.notes += untouched.notes(image.has(Flag.ENDED))
    numbers, names = maker.thread_numbers(), trace.reader.names
    trace.description["thread_names"] = {
        numbers[thread]: name for thread, name in names.items() if thread in numbers
    }
    trace.description["calls"] = trace.reader.calls_by_kind
    trace.notes += account_notes(trace.reader, trace.inherited)
    trace.losses += account_losses(trace.reader, images)
    if trace.sites is not None:
        trace.sites.table, notes, losses = site_table(image)
        trace.notes += notes
        trace.losses += losses
    if trace.processes:
        trace.notes.append(
            f"{counted(len(trace.processes), 'other program')} recorded{SELECT_PROCESS}"
        )


def _own(
    trace: ImageTrace, maker: EventMaker, times: TimeTable, ns_per_tick: float
) -> Iterator[Any]:
    """Yield the events of the image's own calls, and fill the table of times."""
    count = trace.inherited
    for stamp, calls in trace.reader.timed_batches():
        times.add(count, int(stamp * ns_per_tick))
        for chunk in maker.events(calls):
            count += int(np.count_nonzero(chunk.op != TOUCHED))
            yield chunk


def _inherited(
    sites: CallSites | None, maker: EventMaker, image: Image, images: list[Image]
) -> Iterator[Any]:
    """Yield allocations of the objects that were live when the image was forked.

    To find these objects, the calls of the image's ancestors are read: those of the first ancestor
    up to the first fork, those of the next ancestor up to the next fork, and so on. The sites of
    these allocations are unknown, because each image numbers its stacks independently.
    """
    line = [image, *ancestors(image, images)]
    if len(line) == 1:
        return
    live = LiveObjects()
    for child, parent in reversed([*pairwise(line)]):
        forked = int(child.header["forked"]) or child.identity
        for calls in read_ahead(ImageReader(parent, forked).batches()):
            for chunk in maker.events(calls):
                chunk = chunk[chunk.op != TOUCHED]
                live.add(chunk)
                if sites is not None:
                    sites.take(count_allocating(chunk))
    maker.forget_threads()
    objects = live.events()
    for start in range(0, len(objects), CHUNK):
        chunk = objects[start : start + CHUNK]
        if sites is not None:
            sites.put(np.zeros(len(chunk)))
        yield chunk
