"""Replay of a whole trace on a heap, from the first chunk to the profile.

The compiled loop `driver.replay`, called the kernel here, does the work. When it stops, this module
empties the sample buffer, runs a check, grows the object table, or raises an error with the number
of the event. `Profile.seconds` counts only the time in the kernel.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from allocsim.core import operations
from allocsim.core.available_memory import MemoryBound, available_memory
from allocsim.core.records import SAMPLE, Table
from allocsim.core.tables import grown, records
from allocsim.driver import DRIVER, OBJECT, Object, Run, Stop, Touch, first_broken, replay
from allocsim.errors import (
    Corruption,
    EnvironmentLacks,
    InputError,
    Interrupted,
)
from allocsim.events import MAX_OBJECTS, Op, Trace, no_events
from allocsim.heap import Heap
from allocsim.moments import Moment, worst_of
from allocsim.profile import Profile, Snapshot, require_exact
from allocsim.replay_errors import FAILURES, replay_error
from allocsim.signals import interrupt_message
from allocsim.text import counted

SAMPLES = 2000
"""Maximum number of samples kept, unless `Options.every` sets the interval."""

BUFFER = 4096
"""Rows of the sample buffer. The kernel returns when it has taken this many samples."""

NEVER = 1 << 62
"""A number of events that no replay reaches."""


@dataclass(frozen=True)
class Options:
    """Settings of a replay."""

    touch: Touch = Touch.PAGE
    verify: bool = False
    """Whether to fill each object with a pattern, which is checked when the object is freed and at
    the end."""
    limit: int | None = None
    """Footprint in bytes above which the replay stops with LimitExceeded. Without a limit, the
    replay stops with OutOfMemory when the footprint exceeds a share of the available memory (see
    MemoryBound).

    The limit is checked between events and before a large object is written. It is not checked
    within a call, because a design may exceed the limit for a moment and then release pages. The
    copy of a realloc and the zeros of a calloc are written within the call. Until the call returns,
    the footprint is bounded by MemoryBound.request or by the limit, whichever is larger."""
    every: int | None = None
    """Events between two samples; None for at most SAMPLES samples, evenly spaced."""
    check_every: int | None = None
    """Events between two checks of all invariants; None for no checks."""
    available: Callable[[], int] = available_memory
    """A function that returns how many bytes of memory are available."""


class Player:
    """Replays streams of events on one heap and measures it."""

    def __init__(self, heap: Heap, options: Options, length: int | None = None) -> None:
        """`length` is the number of events, if known. It sets the interval between samples."""
        self.heap, self.options, self.seconds = heap, options, 0.0
        self._checks = self._live_sum = self._footprint_sum = self._thread_ends = 0
        if options.check_every and not heap.design.invariants:
            raise InputError(f"the design '{heap.design.name}' has no invariants to check")
        self._samples: list[np.ndarray] = []
        self._run = Run(
            records(DRIVER), records(OBJECT, 4096), records(SAMPLE, BUFFER), records(SAMPLE)
        )
        self._bound = MemoryBound(options.available)
        heap.state.system[0].bound = max(self._bound.request, options.limit or 0)
        driver = self._driver
        driver.limit = self._bound.heap if options.limit is None else options.limit
        driver.touch, driver.verify = options.touch, options.verify
        driver.zeroed, driver.moments = heap.design.zeroed, 1
        # Without a length, a sample is taken every 16 events at first; `_thin_samples` doubles the
        # interval.
        expected = min(length or 16 * SAMPLES, NEVER)
        driver.interval = options.every or max(-(-expected // SAMPLES), 1)
        driver.next_sample = driver.interval
        driver.next_check = options.check_every or NEVER
        driver.due = min(driver.next_sample, driver.next_check)
        # This first call, which compiles the kernel or loads it from the cache, is not timed.
        replay(heap.state, self._run, no_events(), 0)

    @property
    def events(self) -> int:
        """Number of events replayed so far."""
        return int(self._driver.events)

    @property
    def objects(self) -> Table[Object]:
        """The objects of the program, by id. An object with address 0 is not live."""
        return self._run.objects

    def replay_chunk(self, chunk: Any) -> None:
        """Replay a chunk of events.

        Raises an error that names the event that failed (see `replay_error`). Raises OutOfMemory if
        memory runs short, and Corruption if a check fails.
        """
        position, driver = 0, self._driver
        self._thread_ends += int(np.count_nonzero(chunk.op == Op.THREAD_DONE))
        while position < len(chunk):
            begun = time.perf_counter()
            position = replay(self.heap.state, self._run, chunk, position)
            self.seconds += time.perf_counter() - begun
            self._live_sum += int(driver.live_sum)
            self._footprint_sum += int(driver.footprint_sum)
            driver.live_sum = driver.footprint_sum = 0  # a sum over one chunk cannot overflow
            if self.options.limit is None:
                self._bound.require_left(self._footprint)
            if driver.stop != Stop.END:
                # After the last event, `position` is the length of the chunk.
                self._attend(chunk[min(position, len(chunk) - 1)])

    def _footprint(self) -> int:
        """Return the memory of the replay, in bytes: the heap's footprint and the object table."""
        table: int = self._run.objects.nbytes
        return int(operations.footprint(self.heap.state)) + table

    def profile(self) -> Profile:
        """Return the measurements.

        Raises Corruption if a check at the end fails, or if the figures of a sample do not add up.
        """
        self._check_at_end()
        end = records(SAMPLE)
        end[0].event = self.events
        operations.measure(self.heap.state, int(self._driver.live), end[0])
        # The kernel measures the peak when the footprint grows. Without events, it never grows.
        peak = self._run.peak if self._run.peak[0].footprint else end
        self._keep_samples()
        self._thin_samples()
        samples = np.concatenate(self._samples)
        if len(samples) == 0 or samples[-1]["event"] != self.events:
            samples = np.concatenate([samples, np.asarray(end)])
        require_exact(samples)
        return Profile(
            at_peak=Snapshot.of(peak[0]),
            at_end=Snapshot.of(end[0]),
            peak_live=int(self._driver.peak_live),
            resident=self.heap.resident(),
            events=self.events,
            seconds=self.seconds,
            moments=self.moments(),
            samples=samples,
            classes=self.heap.classes(),
            caches=self.heap.caches(),
            part_meanings=self.heap.design.parts,
            spans=self.heap.design.spans,
            mode=self.heap.design.mode(self.heap.parameters),
            native_counters=self.heap.native_counters(),
            stamps=int(self._driver.patterns),
            checks=self._checks,
            no_thread_ends=bool(self._driver.threads > 1 and not self._thread_ends),
        )

    def moments(self) -> tuple[Moment, ...]:
        """Return the figures of the replay so far at each moment (see `allocsim.moments`)."""
        driver, events, peak = self._driver, max(self.events, 1), self._run.peak[0]
        footprint = int(operations.footprint(self.heap.state))
        last = Moment("end", self.events, footprint, int(driver.live))
        first = Moment("peak", int(peak.event), int(peak.footprint), int(peak.live))
        mean = Moment("mean", None, self._footprint_sum // events, self._live_sum // events)
        worst = (int(driver[f"worst_{name}"]) for name in ("event", "footprint", "live"))
        worst_moment = worst_of(Moment("worst", *worst), last, mean)
        highest = (int(driver[f"live_peak{name}"]) for name in ("_event", "_footprint", ""))
        # The kernel measures the peak when the footprint grows. Without events, it never grows.
        first = first if first.footprint else replace(last, name="peak")
        return first, Moment("live-peak", *highest), worst_moment, last, mean

    @property
    def _driver(self) -> Any:
        """The driver's record."""
        return self._run.driver[0]

    def _attend(self, event: Any) -> None:
        """Handle the reason why the kernel stopped; raise an error if `event` failed."""
        stop = Stop(int(self._driver.stop))
        if stop in (Stop.SAMPLES, Stop.CHECK):
            self._handle_due()
        elif stop == Stop.OBJECTS:
            self._grow_objects(int(event.object))
        else:
            raise replay_error(stop, event, self.heap, self._run, self._bound)

    def _handle_due(self) -> None:
        """Empty the sample buffer if it is full; run a check if one is due."""
        driver = self._driver
        if driver.samples == len(self._run.samples):
            self._keep_samples()
            self._thin_samples()
        if driver.events == driver.next_check:
            self._check()
            driver.next_check += self.options.check_every or NEVER
        driver.due = min(driver.next_sample, driver.next_check)

    def _keep_samples(self) -> None:
        """Copy the samples out of the kernel's buffer and empty it."""
        self._samples.append(np.array(self._run.samples[: self._driver.samples]))
        self._driver.samples = 0

    def _thin_samples(self) -> None:
        """Double the interval and drop every other sample until fewer than SAMPLES are left.

        Does nothing if the user has set the interval.
        """
        if self.options.every:
            return
        samples = np.concatenate(self._samples)
        while len(samples) >= SAMPLES:  # leave room for the sample at the end
            self._driver.interval *= 2
            samples = samples[samples["event"] % self._driver.interval == 0]
        self._samples = [samples]
        last = int(samples[-1]["event"]) if len(samples) else 0
        self._driver.next_sample = last + int(self._driver.interval)
        while self._driver.next_sample <= self._driver.events:
            self._driver.next_sample += self._driver.interval

    def _check_at_end(self) -> None:
        """Check the heap and the patterns of all live objects; raise Corruption on failure."""
        if self.options.check_every:
            self._check()
        if self.options.verify:
            broken = first_broken(self._run, np.flatnonzero(self._run.objects.address))
            if broken >= 0:
                raise Corruption(f"at the end, object {broken}: {FAILURES[Stop.PATTERN]}")

    def _check(self) -> None:
        """Check all invariants; raise Corruption with the first three violations."""
        self._checks += 1
        violations = self.heap.check()
        if violations:
            more = f" (and {len(violations) - 3} more)" if len(violations) > 3 else ""
            raise Corruption(f"after event {self.events}: " + "; ".join(violations[:3]) + more)

    def _grow_objects(self, number: int) -> None:
        """Grow the object table to hold the object with id `number`.

        Raises InputError if the id is too large, or EnvironmentLacks if there is not enough memory.
        """
        if number >= MAX_OBJECTS:
            raise InputError(
                f"event {self.events + 1} names object {number}; expected an id below 2**31"
            )
        try:
            larger = grown(self._run.objects, number + 1)
        except MemoryError:
            raise EnvironmentLacks(
                f"event {self.events + 1} names object {number}: not enough memory for a table of "
                "that size"
            ) from None
        self._run = self._run._replace(objects=larger)


def replay_trace(
    heap: Heap, trace: Trace, options: Options, watch: Callable[[Player], None] | None = None
) -> Profile:
    """Replay a whole trace and return its profile; `watch` is called after each chunk."""
    player = Player(heap, options, trace.length)

    def progress() -> str:
        """Return the progress, for the message of an interrupted replay."""
        return f"after {counted(player.events, 'event')}"

    try:
        with interrupt_message(progress):
            _replay_all(player, trace.chunks, watch)
    except KeyboardInterrupt:  # Python API only: the command line's SIGINT handler raises nothing
        raise Interrupted(f"interrupted {progress()}") from None
    finally:
        trace.close()
    return player.profile()


def _replay_all(
    player: Player, chunks: Iterable[Any], watch: Callable[[Player], None] | None
) -> None:
    """Replay every chunk."""
    for chunk in chunks:
        player.replay_chunk(chunk)
        if watch is not None:
            watch(player)
