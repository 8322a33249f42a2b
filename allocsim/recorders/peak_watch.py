"""The peaks of a running program's anonymous memory and number of threads, read from /proc.

The kernel keeps no peak of anonymous memory, only the peak of all resident memory (VmHWM), which
includes file pages. The anonymous peak is therefore estimated in two ways: as the maximum of the
anonymous memory over all samples, and as VmHWM minus the maximum of the file pages over all
samples. Both estimates are normally at most the true peak, so the result is the higher one. The
second one is exact if resident memory, anonymous memory and file pages peak at the same time.
Memory that appears after the last sample is missed; if the last sample is much older than it should
be, the figures say so (see `Peak.unsampled`). VmHWM may be too small, by up to 32 pages per
processor, because each processor adds its count to the total in batches. For the same reason, VmHWM
may fall a little.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from allocsim.recorders.background import in_background
from allocsim.recorders.malloc_files import has_malloc, is_libc
from allocsim.recorders.smaps import NO_MEMORY, MemoryMap, read_memory_map

SHARE = 0.005
"""Time between two samples, as a share of the time that the program has run."""

MIN_INTERVAL, MAX_INTERVAL = 0.001, 0.05
"""Limits, in seconds, of the time between two samples. A sample takes 50 us."""

GONE = (FileNotFoundError, ProcessLookupError)
"""The errors if a thread has ended, or a process has been reaped."""

OVERDUE = 20
"""The end of a run was not sampled if the last sample is older than this many intervals."""

GROWTH = 1.05
"""The mappings are read again only when the anonymous memory has grown by this factor, because
reading them takes milliseconds and delays the program's calls of mmap."""

EARLY_SAMPLES = 20
"""At the start of a program, the dynamic linker may still be loading the library that defines
malloc. Therefore the first samples also read the mappings, until the mappings show this library or
EARLY_SAMPLES samples are taken. A static program loads no such library."""

RECORDER_LIBRARIES = ("liballocsim-", "liblttng-ust", "guard.so")
"""Beginnings of the names of libraries that recorders preload."""

_FIELD = re.compile(rb"^(VmHWM|RssAnon|RssFile|RssShmem|Threads):\s+(\d+)( kB)?$", re.MULTILINE)


Layout = tuple[int, ...]
"""Addresses of a process. They change when the process executes another program."""

LAYOUT_FIELDS, LAYOUT_OFFSET = (26, 27, 28, 45, 46, 47), 3
"""Fields of /proc/PID/stat, as proc(5) numbers them: start and end of the code, start of the stack,
start and end of the data, and start of the brk heap. The first field after the name has number 3.
"""


@dataclass
class Peak:
    """Peaks and other figures from the samples of a program. Sizes are in bytes."""

    threads: int = 0
    """Maximum number of threads."""
    highest: int = 0
    """Maximum of the anonymous RSS of all samples."""
    kernel_peak: int = 0
    """Maximum VmHWM of all samples."""
    file_pages: int = 0
    """Maximum of the RSS that is not anonymous."""
    map: MemoryMap = NO_MEMORY
    """The mappings near the peak."""
    mapped_at: int = 0
    """Anonymous RSS when the mappings were read."""
    unsampled: float = 0.0
    """Seconds from the last sample to the end of the run. If that sample also read the mappings,
    the CPU time of this reading is subtracted. The value is 0 if the difference is at most OVERDUE
    intervals."""

    def add(self, sample: Mapping[str, int]) -> None:
        """Add a sample: fields of /proc/PID/status, sizes in bytes."""
        self.threads = max(self.threads, sample["Threads"])
        self.kernel_peak = max(self.kernel_peak, sample["VmHWM"])
        self.highest = max(self.highest, sample["RssAnon"])
        self.file_pages = max(self.file_pages, sample["RssFile"] + sample["RssShmem"])

    @property
    def anonymous(self) -> int:
        """The peak of the anonymous memory, as far as it is known."""
        return max(self.highest, self.kernel_peak - self.file_pages)

    @property
    def malloc(self) -> str | None:
        """The library whose malloc the process uses. None if no sample shows it.

        If a library other than libc defines malloc, the dynamic linker uses that definition.
        """
        libraries = sorted(path for path in self.map.code if not _is_recorders(path))
        mallocs = [path for path in libraries if has_malloc(path)]
        others = [path for path in mallocs if not is_libc(path)]
        return next(iter([*others, *mallocs]), None)

    @property
    def outside_malloc(self) -> int:
        """Bytes of the peak outside malloc: the stack and static data, as far as they are known.

        The static data of a malloc library other than libc is left out, because a replay on that
        library counts this data too. The static data of the recorder's libraries is left out as
        well.
        """
        library = self.malloc
        excluded = {path for path in self.map.code if _is_recorders(path)}
        if library and not is_libc(library):
            excluded.add(library)
        return self.map.outside(excluded)


class PeakWatch:
    """Takes samples of a process until it ends.

    When the process executes another program, the samples of the first program are forgotten.
    """

    def __init__(self) -> None:
        self.peak = Peak()
        self._samples = 0  # number of samples of the program that the process runs now
        self._layout: Layout = ()  # addresses of that program
        self._map_time = 0.0  # CPU seconds that reading the mappings took in the last sample

    @contextmanager
    def watching(self, process: int) -> Iterator[None]:
        """Sample a process during the block, in a thread."""
        with in_background(lambda ended: self._run(process, ended)):
            yield

    def _run(self, process: int, ended: threading.Event) -> None:
        """Take samples until the main thread has ended or `ended` is set.

        If other threads of the process continue, wait until they have ended too. The function does
        not wait until the kernel has freed the memory of the process.

        If the process ends while the sampler reads its mappings, the sampler has the last reference
        to the memory of the process. The kernel then frees this memory in the sampler's thread,
        which takes about 0.1 s for 1 GiB. The CPU time of that last reading is not counted as
        unsampled.
        """
        begun = last = now = time.monotonic()
        interval = MIN_INTERVAL
        while self._sample(process):
            last, interval = now, min(max((now - begun) * SHARE, MIN_INTERVAL), MAX_INTERVAL)
            if ended.wait(interval):
                break
            now = time.monotonic()
        pause = interval
        while _has_memory(process) and not ended.wait(pause):
            pause = min(2 * pause, MAX_INTERVAL)
        unsampled = time.monotonic() - last - self._map_time
        self.peak.unsampled = unsampled if unsampled > OVERDUE * interval else 0.0

    def _sample(self, process: int) -> bool:
        """Take a sample; return whether the process still runs."""
        try:
            layout, sample = _layout(process), _fields(process)
            if "VmHWM" not in sample:
                return False  # a process that has ended, but is not reaped, has no memory
            if any(layout) and layout != self._layout:  # exec has given the process new memory
                self.peak, self._samples, self._layout = Peak(), 0, layout
            self.peak.add(sample)
        except OSError:
            return False
        self._samples += 1
        self._map_time = 0.0
        is_early = self._samples <= EARLY_SAMPLES and self.peak.malloc is None
        if is_early or sample["RssAnon"] > GROWTH * self.peak.mapped_at:
            begun = time.thread_time()
            with suppress(OSError):  # if the process has ended, the next sample notices it
                self.peak.map = read_memory_map(process)
                self.peak.mapped_at = sample["RssAnon"]
            self._map_time = time.thread_time() - begun
        return True


def _fields(process: int) -> dict[str, int]:
    """Return fields of /proc/PID/status, sizes in bytes; fewer if the process has ended."""
    text = Path(f"/proc/{process}/status").read_bytes()
    matches = _FIELD.finditer(text)
    return {match[1].decode(): int(match[2]) << (10 if match[3] else 0) for match in matches}


def _has_memory(process: int) -> bool:
    """Return whether a thread of the process has memory. A thread that is ending has none."""
    try:
        for thread in Path(f"/proc/{process}/task").iterdir():
            with suppress(*GONE):
                if "VmHWM" in _fields(int(thread.name)):
                    return True
    except GONE:
        return False
    except OSError:  # unknown, for example because this process has too many open files
        return True
    return False


def _layout(process: int) -> Layout:
    """Return where the code, the stack and the data of a process are; zeros if that is not known.

    exec chooses other addresses. If address randomisation is off, as under `setarch -R`, the
    addresses depend on the sizes of the program's code, data, arguments and environment.
    """
    after_name = Path(f"/proc/{process}/stat").read_bytes().rpartition(b")")[2].split()
    return tuple(int(after_name[field - LAYOUT_OFFSET]) for field in LAYOUT_FIELDS)


def _is_recorders(path: str) -> bool:
    """Return whether a file is a library that a recorder has preloaded."""
    return Path(path).name.startswith(RECORDER_LIBRARIES)
