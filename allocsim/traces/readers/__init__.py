"""Trace readers: one module per format. Each module defines FORMAT.

To add a format, write its module and add it to FORMATS. A reader of large text files builds on
`scan.line_reader`, and a reader of binary files on `scan.block_reader`. A reader that need not be
compiled builds on `scan.python_reader`.
"""

from allocsim.traces.formats import Format
from allocsim.traces.readers import (
    aosp,
    csapp,
    glibc_mtrace,
    glibc_wl,
    go_trace,
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
    go_trace.FORMAT,
    glibc_wl.FORMAT,
    glibc_mtrace.FORMAT,
    malloc_bench.FORMAT,
    mtrace.FORMAT,
    lttng.FORMAT,
    logalloc.FORMAT,
    valgrind.FORMAT,
    ltrace.FORMAT,
)
"""All readable formats. A file is read in the first format that recognises it.

Formats that search the beginning of a file for a call (lttng, valgrind, ltrace) come after formats
that require a call or a header in the first line.
"""
