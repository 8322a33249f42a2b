"""Trace readers: one module per format, which defines FORMAT.

To add a format, write its module and add it to FORMATS. Text formats that are worth compiling
build on `scan.line_reader`, binary ones on `scan.block_reader`, the others on `scan.python_reader`.
"""

from allocsim.traces.formats import Format
from allocsim.traces.readers import (
    aosp,
    csapp,
    glibc_mtrace,
    glibc_wl,
    heaptrack,
    logalloc,
    ltrace,
    lttng,
    malloc_bench,
    memray,
    mtrace,
    valgrind,
)

FORMATS: tuple[Format, ...] = (
    aosp.FORMAT,
    heaptrack.FORMAT,
    csapp.FORMAT,
    memray.FORMAT,
    glibc_wl.FORMAT,
    glibc_mtrace.FORMAT,
    malloc_bench.FORMAT,
    mtrace.FORMAT,
    lttng.FORMAT,
    logalloc.FORMAT,
    valgrind.FORMAT,
    ltrace.FORMAT,
)
"""All readable formats; the first that recognises a file reads it.

Formats that search the whole head for a call (lttng, valgrind, ltrace) come after those that
recognise its first bytes.
"""
