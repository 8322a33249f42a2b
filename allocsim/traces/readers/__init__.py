"""Trace readers: one module per format. Each module defines FORMAT.

To add a format, write its module and add it to FORMATS. A reader that is worth compiling builds on
`scan.line_reader` if the format is text. A reader of a binary format builds on `scan.block_reader`,
and any other reader on `scan.python_reader`.
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
"""All readable formats. The first that recognises a file is the one used.

Formats that search the whole head for a call (lttng, valgrind, ltrace) come after formats
that recognise the first bytes.
"""
