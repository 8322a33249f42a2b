"""The addresses of this process's resident anonymous pages.

PAGEMAP_SCAN (an ioctl on /proc/self/pagemap since Linux 6.7) returns ranges of pages that are
present, belong to no file and are not the zero page. Anonymous RSS counts exactly these pages. On
older kernels, the flags of each page are read. The flags do not distinguish the zero page from
other pages, so the result may have too many pages.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from allocsim.core.memory import OS_PAGE, table
from allocsim.errors import EnvironmentLacks

PAGEMAP = "/proc/self/pagemap"
"""The kernel's file with an 8-byte entry for each page of this process (proc_pid_pagemap(5))."""

PAGEMAP_SCAN = 0xC0606610
"""The request number of the ioctl: _IOWR('f', 16, struct pm_scan_arg) (linux/fs.h)."""

IS_FILE, IS_PRESENT, IS_PFNZERO = 1 << 2, 1 << 3, 1 << 5
"""Categories of pages (PAGE_IS_*)."""

FIRST, END = 1 << 12, (1 << (48 if platform.machine() == "aarch64" else 47)) - OS_PAGE
"""The range of addresses that a program can use; END is exclusive."""

PRESENT_BIT, FILE_BIT = 63, 61
"""Bits of an entry of pagemap. PRESENT_BIT: the page is in memory. FILE_BIT: the page belongs to a
file or is shared."""

MAX_RANGES = 1 << 18
"""Maximum number of ranges of pages that a scan can return."""

TOO_MANY = f"memory is in more than {MAX_RANGES:,} ranges of pages"
"""Error message for a scan that finds more ranges."""


class _ScanArguments(ctypes.Structure):
    """struct pm_scan_arg."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in (
            *("size", "flags", "start", "end", "walk_end", "vec", "vec_len", "max_pages"),
            *("category_inverted", "category_mask", "category_anyof_mask", "return_mask"),
        )
    )


class PageScan:
    """A scan of the pages. Its memory is allocated beforehand, so that a scan changes few pages."""

    def __init__(self) -> None:
        """Allocate and touch the memory for the ranges."""
        self.ranges = table(np.int64, MAX_RANGES, 3)
        self.ranges.fill(0)
        self.count = 0
        """Number of ranges of the last scan. A row of `ranges` is (start, end, categories)."""
        self.is_exact = True
        """Whether the last scan was made by PAGEMAP_SCAN."""
        self._ioctl = ctypes.CDLL(None, use_errno=True).ioctl
        self._arguments = _ScanArguments(size=ctypes.sizeof(_ScanArguments))

    def take(self) -> None:
        """Scan all pages; raise EnvironmentLacks if there are too many ranges or the scan fails."""
        descriptor = os.open(PAGEMAP, os.O_RDONLY)  # not kept open: a forked child needs its own
        try:
            self._take(descriptor)
        finally:
            os.close(descriptor)

    def pages(self) -> np.ndarray:
        """Return the numbers of the pages that the last scan found, ascending, as int64."""
        starts, ends = self.ranges[: self.count, 0], self.ranges[: self.count, 1]
        counts = (ends - starts) // OS_PAGE
        skipped = np.cumsum(counts) - counts
        pages: np.ndarray = np.repeat(starts // OS_PAGE - skipped, counts)
        pages += np.arange(len(pages))
        return pages

    def _take(self, descriptor: int) -> None:
        """Scan with PAGEMAP_SCAN, or page by page if the kernel does not have it."""
        self.count, at = 0, FIRST
        while at < END:
            unused = MAX_RANGES - self.count
            if unused == 0:
                raise EnvironmentLacks(TOO_MANY)
            ranges = self._scan(descriptor, at, unused)
            if ranges < 0:
                self._read_all(descriptor)
                return
            self.count += ranges
            at = max(int(self._arguments.walk_end), at + OS_PAGE)
        self.is_exact = True

    def _scan(self, descriptor: int, start: int, max_ranges: int) -> int:
        """Call the ioctl; return the number of ranges, or -1 if the kernel does not have it."""
        arguments = self._arguments
        arguments.start, arguments.end = start, END
        arguments.vec, arguments.vec_len = self.ranges[self.count :].ctypes.data, max_ranges
        arguments.category_inverted = IS_FILE | IS_PFNZERO
        arguments.category_mask = IS_PRESENT | IS_FILE | IS_PFNZERO
        arguments.return_mask = IS_PRESENT
        ranges = int(self._ioctl(descriptor, ctypes.c_ulong(PAGEMAP_SCAN), ctypes.byref(arguments)))
        if ranges < 0 and ctypes.get_errno() not in (errno.ENOTTY, errno.EINVAL, errno.ENOSYS):
            raise EnvironmentLacks(f"{PAGEMAP}: {os.strerror(ctypes.get_errno())}")
        return ranges

    def _read_all(self, descriptor: int) -> None:
        """Read the flags of every page of every mapping. This works on all kernels."""
        self.count, self.is_exact = 0, False
        for start, end in _mappings():
            for first, last in _runs(_flags(descriptor, start, end)):
                if self.count == MAX_RANGES:
                    raise EnvironmentLacks(TOO_MANY)
                self.ranges[self.count, :2] = start + first * OS_PAGE, start + last * OS_PAGE
                self.count += 1


def _mappings() -> Iterator[tuple[int, int]]:
    """Yield the first address and the end of each mapping of this process."""
    for line in Path("/proc/self/maps").read_bytes().strip().split(b"\n"):
        start, end = (int(text, 16) for text in line.split(maxsplit=1)[0].split(b"-"))
        if end <= END:
            yield start, end


def _flags(descriptor: int, start: int, end: int) -> np.ndarray:
    """Return for each page whether it is present and anonymous."""
    data = os.pread(descriptor, (end - start) // OS_PAGE * 8, start // OS_PAGE * 8)
    entries = np.frombuffer(data, np.uint64)
    present: np.ndarray = (entries >> np.uint64(PRESENT_BIT) & np.uint64(1)) == 1
    return present & ((entries >> np.uint64(FILE_BIT) & np.uint64(1)) == 0)


def _runs(flags: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield the first index and the end of each run of true flags."""
    edges = np.flatnonzero(np.diff(flags.astype(np.int8), prepend=0, append=0)).tolist()
    yield from zip(edges[0::2], edges[1::2], strict=True)
