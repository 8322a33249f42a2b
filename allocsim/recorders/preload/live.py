"""Figures of the recorded program while it runs: its memory and its live bytes.

The live bytes come from the recording itself, which is read while the program writes to it. The
reader is a thread of low priority, so that it takes little processor time from the program even if
no processor is idle. On a busy machine, the figures may come less often than once a second.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from allocsim.errors import EnvironmentLacks
from allocsim.recorders.background import in_background
from allocsim.recorders.base import LiveFigures, LiveView
from allocsim.recorders.preload.clock import TickClock
from allocsim.recorders.preload.watch import resident
from allocsim.trace_stats import StatsCollector
from allocsim.traces.calls import TOUCHED, no_calls
from allocsim.traces.event_maker import EventMaker
from allocsim.traces.preload.growing import GrowingReader
from allocsim.traces.preload.images import Image, last_image

Show = Callable[[LiveFigures], None]
"""A function that shows figures."""

NICE = 5
"""Nice value of the reader. If all processors are busy, a thread of the program gets three times as
much processor time as the reader."""


class LiveWatch:
    """Reads the recording of a process while it grows, and shows figures every INTERVAL seconds."""

    INTERVAL = 1.0
    SETTLE = 0.1
    """Seconds to wait after `_look` before the recording is read. In this time, threads finish the
    records that they have begun (see `traces.preload.growing`)."""

    def __init__(self, images: Path, clock: TickClock, view: LiveView) -> None:
        """`images` is the directory of the program images (see `traces.preload.images`)."""
        self._images, self._clock, self._view = images, clock, view
        self._reader: GrowingReader | None = None
        self._forget()
        # Compile the kernels, or load them from the cache, before the program starts.
        list(GrowingReader(0).batches())
        list(self._maker.events(no_calls(1)))

    def _forget(self) -> None:
        """Start with no live objects."""
        self._maker, self._stats = EventMaker("live", 0), StatsCollector()

    @contextmanager
    def watching(self, process: int) -> Iterator[None]:
        """Follow a process during the block, in a thread."""
        with (
            self._view() as show,
            in_background(lambda ended: self._run(process, show, ended)),
        ):
            yield

    def _run(self, process: int, show: Show, ended: threading.Event) -> None:
        """Show figures until the process has ended, `ended` is set, or memory is short."""
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
        begun = time.monotonic()
        with suppress(OSError, ValueError, EnvironmentLacks):
            while not ended.wait(self.INTERVAL - self.SETTLE):
                image = last_image(self._images, process)
                if image is None:
                    continue
                memory, seconds = resident(process), time.monotonic() - begun
                reader = self._look(image)
                if ended.wait(self.SETTLE) or not self._follow(reader, ended):
                    return
                objects, live = self._stats.live
                show(LiveFigures(seconds, memory, live, objects, self._stats.events))

    def _look(self, image: Image) -> GrowingReader:
        """Store where the records of `image` end now (`GrowingReader.look`); return the reader.

        A new reader is made for the first image and after each exec.
        """
        if self._reader is None or self._reader.identity != image.identity:
            self._reader = GrowingReader(image.identity)
            self._forget()
        self._reader.look(image, self._clock.stamp())
        return self._reader

    def _follow(self, reader: GrowingReader, ended: threading.Event) -> bool:
        """Apply the calls up to the reader's last `look`.

        Returns False if `ended` is set before all of them are applied.
        """
        for calls in reader.batches():
            for events in self._maker.events(calls):
                self._stats.add(events[events.op != TOUCHED])
            if ended.is_set():
                return False
        return True
