"""Memory and processor time of the recorded program, read from /proc while the program runs."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from allocsim.recorders.background import in_background
from allocsim.recorders.caveats import leftover_processes
from allocsim.recorders.preload.clock import TickClock
from allocsim.signals import SignalsRedirected
from allocsim.traces.preload.images import last_image

_ANONYMOUS = re.compile(rb"^RssAnon:\s+(\d+) kB", re.MULTILINE)

POLL = 0.1
"""Seconds between checks for processes that the program left running."""


class MemoryWatch:
    """Takes samples of a process, and writes the time into its recording.

    When there are MAX_SAMPLES samples, every other sample is dropped, and the interval doubles.
    """

    FIELDS = ("ns", "anonymous", "cpu_ns")
    """The fields of a sample: ns since the start, anonymous RSS in bytes, processor time in ns."""

    MAX_SAMPLES = 512
    INTERVAL = 0.02
    """Seconds between the first samples. A sample takes 40 us."""

    def __init__(self, images: Path, clock: TickClock) -> None:
        self.samples: list[tuple[int, int, int]] = []
        self.mapped = 0
        """Maximum, over the samples, of the bytes that the process had obtained without malloc, for
        example by mmap. The recorder counts these bytes in the file PID-STAMP of the directory
        `images` (see `traces.preload.images`)."""
        self._images, self._clock = images, clock

    @contextmanager
    def watching(self, process: int) -> Iterator[None]:
        """Sample a process during the block, in a thread."""
        with in_background(lambda ended: self._sample(process, ended)):
            yield

    def _sample(self, process: int, ended: threading.Event) -> None:
        """Take samples until the process has ended or `ended` is set."""
        begun, interval = time.monotonic_ns(), self.INTERVAL
        while not ended.wait(interval):
            try:
                memory, cpu = resident(process), _cpu_time(process)
            except (OSError, ValueError, IndexError):
                return
            self.samples.append((time.monotonic_ns() - begun, memory, cpu))
            self._update_image(process)
            if len(self.samples) == self.MAX_SAMPLES:
                del self.samples[::2]
                interval *= 2

    def _update_image(self, process: int) -> None:
        """Write the time into the header of the process's last image, and read `mapped` there."""
        image = last_image(self._images, process)
        if image is not None:
            self.mapped = max(self.mapped, image.mapped)
            with suppress(OSError):
                image.set_now(self._clock.stamp())


def wait_for_leftovers(directory: Path) -> None:
    """Wait until the processes that the program left running have ended, or until an interrupt."""
    interrupted = threading.Event()
    with SignalsRedirected(lambda _: interrupted.set()):
        while leftover_processes(directory) and not interrupted.wait(POLL):
            pass


def resident(process: int) -> int:
    """Return the anonymous RSS of a process in bytes; raise ValueError if the process has ended."""
    match = _ANONYMOUS.search(Path(f"/proc/{process}/status").read_bytes())
    if match is None:
        raise ValueError(process)
    return int(match[1]) << 10


def _cpu_time(process: int) -> int:
    """Return the processor time of all threads of a process in ns.

    The kernel counts this time in clock ticks (SC_CLK_TCK).
    """
    fields = Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    return ticks * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
