"""The replays that `explain` makes on a malloc library. Each runs in its own process.

The footprint of a library is the growth of the anonymous pages of its process. The units of the
heap map are OS pages, because no library can release less than a page. If a library releases only
larger pieces, live objects pin more memory than the map shows.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from allocsim.benchmark import answer
from allocsim.benchmark.child import PLAN_BYTES, TABLE_BYTES
from allocsim.benchmark.comparison import Conditions, measure
from allocsim.benchmark.event_file import EventFile, write_events
from allocsim.benchmark.event_part import part_of
from allocsim.benchmark.pages import Pages
from allocsim.benchmark.parent import LimitReached, SubjectFailed
from allocsim.benchmark.subject import library_of
from allocsim.benchmark.thread_ends import INFERRED
from allocsim.core.memory import OS_PAGE
from allocsim.errors import AllocsimError, Corruption, EnvironmentLacks, LimitExceeded
from allocsim.events import EVENT, MAX_OBJECTS, Trace
from allocsim.explanation.heap_map import HeapMap, by_address, map_from
from allocsim.explanation.snapshots import Snapshot, read_snapshots
from allocsim.explanation.threads import Threads
from allocsim.explanation.variants import Variant
from allocsim.libraries.environment import removal_caution
from allocsim.libraries.find import require_library
from allocsim.moments import Moment, worst_of

PARTS = ("empty", "start")
"""The parts of the footprint for pages without live objects. "start" has the pages that were
resident before the first event; "empty" has the other pages, such as those of caches and of the
library's metadata."""

COLUMNS = 5
"""Number of values that the child process reports for each live object: id, address, requested
bytes, usable bytes, and share of a slab in bytes (see `HeapMap.slab`)."""

ROOM_FOR_EACH = 8
"""Memory that must be available for each of several parallel replays, as a multiple of the peak
footprint of the workload. A variant of the workload, or a setting, may take more memory."""

ROOM_FOR_EVENT = EVENT.itemsize + TABLE_BYTES
"""Further memory that each replay needs, in bytes per event of the workload: the file of a
variant's events, and the tables in the worst case, in which every event allocates a new object."""

ONE_THREAD_SNAPSHOTS = (
    "the timeline and the heap map come from a replay on one thread; all other figures come from a "
    "replay on the recorded threads"
)
"""Caution about `OnLibrary.snapshots`."""


@dataclass
class OnLibrary:
    """The replays that `explain` makes on a library. `open_trace` opens the workload for each."""

    name: str
    """The library and its settings, as `compare --on` names them."""
    open_trace: Callable[[], Trace]
    conditions: Conditions = field(default_factory=Conditions)
    cautions: list[str] = field(default_factory=list)
    """Warnings about the figures, in sentences; complete after `map_at`."""
    release: str = "release free memory"
    """The request to release memory, as reports name it. `moments` replaces it with the name of
    the library's call, if allocsim knows one."""
    _last: tuple[Pages, list[np.ndarray]] | None = None
    """The measurements of the last call of `moments`, with the map at the end of the workload."""
    _events: EventFile | None = None
    """The events of the workload, once they have been read. Copies of this OnLibrary share them."""

    unit = "page"
    copied = "done in a copy of the process"

    def moments(self) -> tuple[Moment, ...]:
        """Replay the workload; return its moments, such as the peak."""
        self._last = self._run(self._workload())
        measured = self._last[0]
        self.release = measured.release or self.release
        return moments_of(measured)

    def map_at(self, event: int) -> HeapMap:
        """Replay up to a moment and return the map of the process's pages."""
        last = self._last
        if last is None or not last[0].points or last[0].points[-1][0] != event:
            last = self._run(self._workload().up_to(event))
        measured, arrays = last
        self._add_cautions(measured)
        *objects, pages, is_start = arrays
        mapped = map_from(
            by_address(objects if measured.has_slabs else objects[:-1]),
            (pages * OS_PAGE, np.full(len(pages), OS_PAGE), is_start),
            PARTS,
            {},
            (event, len(pages) * OS_PAGE),
        )
        return replace(mapped, break_range=measured.break_range)

    def threads(self, _count: int) -> Threads:
        """Return the threads of the workload, and how they are replayed."""
        workload = self._workload()
        return Threads(workload.threads, workload.recorded, workload.ends)

    def snapshots(self, events: Sequence[int]) -> list[Snapshot]:
        """Return a snapshot of the heap after each of these ascending numbers of events.

        The replay is on one thread.
        """
        if not events:
            return []
        if self._workload().recorded:
            self.cautions.append(ONE_THREAD_SNAPSHOTS)
        workload, descriptor = self._workload().up_to(events[-1]), answer.new_answer()
        try:
            measure(self.name, "snapshots", workload, self.conditions, descriptor, 0, events)
            return read_snapshots(descriptor, events, PARTS, os.sysconf("SC_PHYS_PAGES"))
        except SubjectFailed as failure:
            raise self._error(failure) from None
        finally:
            os.close(descriptor)

    def footprint_of(self, part: Variant) -> int:
        """Replay a variant of the workload and return the footprint at its end, in bytes."""
        events = part_of(self._workload(), part.remaining_calls(), self.conditions.available)
        try:
            return self._run(events)[0].pages * OS_PAGE
        finally:
            events.close()

    def footprint_at(self, event: int) -> int:
        """Replay the first `event` events and return the footprint in bytes."""
        return self._run(self._workload().up_to(event))[0].pages * OS_PAGE

    def after_release(self, event: int, freed: Sequence[np.ndarray]) -> list[tuple[int, int]]:
        """Free objects, then request a release; return the footprint after each of the two steps.

        Each element of `freed` is one experiment: the ids of objects that are live after `event`
        events. The result has a pair of footprints in bytes for each experiment, which runs in a
        copy of the process.
        """
        left: list[tuple[int, int]] = []
        for first in range(0, len(freed), answer.MAX_SETS):
            sets = freed[first : first + answer.MAX_SETS]
            left += self._run(self._workload().up_to(event), sets)[0].left
        return left

    def side_by_side(self) -> int:
        """Return how many replays to run at once: one on each core, or fewer if memory is short."""
        points = self._last[0].points if self._last else []
        peak = max((growth for _, _, growth in points), default=0)
        workload = self._workload()
        for_event = ROOM_FOR_EVENT + PLAN_BYTES * workload.recorded
        each = ROOM_FOR_EACH * max(peak, OS_PAGE) + for_event * workload.events
        return max(min(len(os.sched_getaffinity(0)), self.conditions.available() // each), 1)

    def sharing(self, count: int) -> OnLibrary:
        """Return a copy of this object for one of `count` replays that run at once.

        Only 1/count of the available memory counts as available for the replay and its events.
        """
        available = self.conditions.available
        shared = replace(self.conditions, available=lambda: available() // count)
        return replace(self, conditions=shared)

    def _error(self, failure: SubjectFailed) -> AllocsimError:
        """Return the error for a failed replay: LimitExceeded if it exceeded the user's limit."""
        is_check = isinstance(failure, LimitReached) and self.conditions.limit is not None
        return (LimitExceeded if is_check else EnvironmentLacks)(f"{self.name}: {failure}")

    def _workload(self) -> EventFile:
        """Return the events of the workload. They are read once and kept for all replays."""
        if self._events is None:
            available, recorded = self.conditions.available, self.conditions.recorded
            self._events = write_events(self.open_trace(), None, available, recorded)
            weakref.finalize(self._events, os.close, self._events.descriptor)
        return self._events

    def _run(
        self, events: EventFile, sets: Sequence[np.ndarray] = ()
    ) -> tuple[Pages, list[np.ndarray]]:
        """Replay events in a new process; return (measurements, arrays of objects and pages).

        `sets` has the ids to free in each experiment. Raises LimitExceeded if the footprint exceeds
        the user's limit, and EnvironmentLacks if the replay fails for another reason.
        """
        require_library(library_of(self.name) or "")
        descriptor = answer.new_answer()
        try:
            answer.write_sets(descriptor, sets)
            arguments = (events, self.conditions, descriptor, len(sets))
            measured = measure(self.name, "pages", *arguments).pages
            assert measured is not None
            return measured, self._read(descriptor, measured, events.events)
        except SubjectFailed as failure:
            raise self._error(failure) from None
        finally:
            os.close(descriptor)

    def _read(self, descriptor: int, measured: Pages, events: int) -> list[np.ndarray]:
        """Return the arrays of an answer. If they are invalid, the error names the library."""
        try:
            return read_checked(descriptor, measured, events)
        except Corruption as failure:
            raise Corruption(f"{self.name}: {failure}") from None

    def _add_cautions(self, measured: Pages) -> None:
        """Add a warning for each fact that limits the figures, unless it was added before."""
        self.cautions += [each for each in self._reasons(measured) if each not in self.cautions]

    def _reasons(self, measured: Pages) -> Iterator[str]:
        """Yield a sentence for each fact that limits the figures."""
        scanned = (measured.pages - measured.lost) * OS_PAGE
        if not measured.is_exact:
            yield (
                "this kernel has no PAGEMAP_SCAN (new in Linux 6.7): pages that hold only zeros "
                "and were never written are counted too"
            )
        if scanned != measured.growth:
            yield (
                f"the pages sum to {scanned:,} bytes, but anonymous RSS grew by "
                f"{measured.growth:,} bytes"
            )
        if caution := removal_caution(self.conditions.keep_settings):
            yield caution
        if not measured.has_usable:
            yield (f"{self.name} does not report usable sizes, so rounding is not shown")
        workload = self._workload()
        if workload.threads > 1 and not workload.recorded:
            yield (
                f"the {workload.threads:,} threads of the workload were replayed on one: "
                "per-thread arenas and caches are not measured"
            )
        if workload.ends == "inferred":
            yield INFERRED


def moments_of(measured: Pages) -> tuple[Moment, ...]:
    """Return the moments, chosen from the points that were measured."""
    points = [Moment("", event, growth, live) for event, live, growth in measured.points]
    if not points:
        return tuple(Moment(name, 0, 0, 0) for name in ("peak", "live-peak", "worst", "end"))
    end, count = points[-1], len(points)
    mean = Moment(
        "mean",
        None,
        sum(each.footprint for each in points) // count,
        sum(each.live for each in points) // count,
    )
    # If no point is before the last allocation, use the first point.
    eligible = [each for each in points if (each.event or 0) <= measured.last_allocation] or points[
        :1
    ]
    worst = worst_of(max(eligible, key=lambda each: each.waste), end, mean)
    return (
        replace(max(points, key=lambda each: each.footprint), name="peak"),
        replace(max(points, key=lambda each: each.live), name="live-peak"),
        worst,
        replace(end, name="end"),
        mean,
    )


def read_checked(descriptor: int, measured: Pages, events: int) -> list[np.ndarray]:
    """Read the arrays that a child process sent after it replayed `events` events.

    A library in the child may have written anything into them. Raises Corruption if there
    are more objects than events or more pages than the machine has, if ids or pages are not in
    ascending order, or if a value is out of range.
    """
    if not (0 <= measured.objects <= events and 0 <= measured.pages <= os.sysconf("SC_PHYS_PAGES")):
        raise Corruption("the measuring process sent impossible counts")
    if (
        measured.break_range
        and not 0 <= measured.break_range[0] <= measured.break_range[1] < 1 << 47
    ):
        raise Corruption("the measuring process sent an impossible range of the heap")
    lengths = [measured.objects] * COLUMNS + [measured.pages] * 2
    arrays = answer.read_arrays(descriptor, lengths)
    number, _, request, usable, slab, pages, is_start = arrays
    is_valid = (
        (np.diff(number, prepend=-1) > 0).all()
        and (np.diff(pages, prepend=0) > 0).all()
        and (number < MAX_OBJECTS).all()
        and (request >= 0).all()
        and ((usable >= request) & (usable < 1 << 47)).all()
        and ((slab >= 0) & (slab < 1 << 47)).all()
        and ((is_start == 0) | (is_start == 1)).all()
    )
    if not is_valid:
        raise Corruption("the measuring process sent impossible objects or pages")
    return arrays
