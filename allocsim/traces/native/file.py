"""Reading and writing of allocsim traces.

An allocsim trace consists of a header (see `header`), the events in their memory layout (see
`allocsim.events`), and call sites if recorded. The events need no parsing, but every event is
validated. A plain file can be read at any offset (see `open_file`). A compressed file or standard
input is read from beginning to end.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from allocsim import __version__
from allocsim.atomic_file import atomic_write
from allocsim.call_sites.numbers import count_allocating
from allocsim.errors import InputError, TraceError
from allocsim.events import CHUNK, EVENT, Trace, no_events
from allocsim.text import counted, printable
from allocsim.trace_stats import StatsCollector
from allocsim.traces.event_facts import collect_times
from allocsim.traces.losses import lost_calls
from allocsim.traces.native.header import (
    FIXED_SIZE,
    MAGIC,
    NAME,
    NO_SITES,
    REMEDY,
    Description,
    Layout,
    encode_header,
    header_size,
    is_dense,
    parse_description,
    parse_layout,
)
from allocsim.traces.native.open_file import OpenFile
from allocsim.traces.native.site_column import ColumnReader, column_writer
from allocsim.traces.native.site_table import decode_table
from allocsim.traces.native.validate import Bounds, describe_invalid, first_invalid
from allocsim.traces.source import Source

SUMMARY = "allocsim's own file, as `allocsim trace convert` writes it: read without parsing"
"""Description of the format for `allocsim list formats`."""

CLAIMS = ("events", "objects", "threads", "requested", "peak_live")
"""Names of the figures in the header that `allocsim trace check` recomputes."""


def write_trace(trace: Trace, path: Path) -> None:
    """Write the whole trace and close it. After an error, an existing file is unchanged."""
    with (
        closing(trace),
        atomic_write(_regular(path)) as file,
        column_writer(trace.sites, path) as column,
    ):
        # The header is written last, because its figures are known only after the last event.
        begin = header_size(_description(trace, StatsCollector()), trace.header_room)
        collector, rows = StatsCollector(), 0
        file.seek(begin)
        for chunk in trace.chunks:
            _require_valid(chunk, Bounds(), rows, trace.name)
            collector.add(chunk)
            file.write(np.ascontiguousarray(chunk).view(np.uint8).data)
            rows += len(chunk)
            if column is not None:
                column.add(count_allocating(chunk))
        collector.require_valid(trace.name)
        # Writing the call sites may add notes to the trace, so it must precede the header.
        sites = NO_SITES if column is None else column.write(file)
        description = _description(trace, collector)
        if not is_dense(description.objects, rows):
            raise InputError(
                f"{trace.name}: object ids up to {description.objects:,} in "
                f"{counted(rows, 'event')} are too sparse for a file; renumber them "
                "with `allocsim trace cut`"
            )
        file.seek(0)
        file.write(encode_header(description, begin, rows, sites))


def _regular(path: Path) -> Path:
    """Return the path; raise InputError if it is a device or a pipe.

    The file must be seekable, because the header is written last.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"'{path}' is not a regular file; an allocsim trace needs one")
    return path


def is_allocsim_trace(path: str) -> bool:
    """Return whether `path` is a plain file that begins with an allocsim trace's MAGIC."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return False
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def read_trace(path: Path, sites: bool = False, name: str = "") -> Trace:
    """Return the trace in a plain file, with its call sites if `sites` is set.

    The file stays open until the trace is closed or deleted. `name` is the name of the file in
    messages, by default its path.
    """
    name = name or str(path)
    with _reading(name):
        file = OpenFile(path)
        layout = parse_layout(file.read(FIXED_SIZE, 0), name)
        description = parse_description(file.read(layout.begin, 0), layout, name)
        _require_length(file.size(), layout, name)
        column = _column(file, layout, name) if sites and layout.sites.entries else None
    bounds = Bounds(description.objects, description.threads)
    trace = _trace(name, description, _chunks(file, layout, bounds, name, column))
    trace.resource = file
    trace.sites = None if column is None else column.sites
    return trace


def _column(file: OpenFile, layout: Layout, name: str) -> ColumnReader:
    """Return the reader of a file's site numbers."""
    content = file.read(layout.sites.table, layout.length - layout.sites.table)
    return ColumnReader(file, layout.sites, layout.column, decode_table(content, name))


def read_stream(source: Source, sites: bool = False) -> Trace:
    """Return the trace in a source (see `traces.source`). The caller need not close the source.

    If site numbers are requested, the source is first copied to an unnamed file, because an
    allocsim trace has them after the events.
    """
    name = source.name
    with ExitStack() as on_error:
        on_error.callback(source.close)
        if sites and parse_layout(source.head(FIXED_SIZE), name).sites.entries:
            with source.as_file() as copy:
                return read_trace(Path(f"/proc/self/fd/{copy.fileno()}"), sites, name)
        fixed = _read(source, FIXED_SIZE)
        layout = parse_layout(fixed, name)
        header = fixed + _read(source, layout.begin - FIXED_SIZE)
        description = parse_description(header, layout, name)
        on_error.pop_all()
    bounds = Bounds(description.objects, description.threads)
    trace = _trace(name, description, _copies(source, layout, bounds))
    trace.progress, trace.resource = source.share_read, source
    return trace


def _description(trace: Trace, collector: StatsCollector) -> Description:
    """Return the header's description of a trace, with the figures that the collector computed."""
    stats = collector.stats()
    return Description(
        tool=f"allocsim {__version__}",
        name=trace.name,
        source=trace.description.get("source", trace.description),
        seed=trace.seed,
        events=stats.events,
        objects=stats.objects,
        threads=stats.thread_numbers,
        requested=stats.requested,
        peak_live=stats.peak_live,
        dropped=trace.dropped,
        notes=trace.notes,
        losses=trace.losses,
        capabilities=trace.capabilities,
        program_run=trace.program_run,
    )


def _trace(name: str, description: Description, chunks: Iterator[Any]) -> Trace:
    """Return a trace of these chunks with the figures and notes of the file's description."""
    trace = Trace(
        name=name,
        chunks=chunks,
        description={
            "kind": "trace",
            "file": name,
            "format": NAME,
            "written_by": description.tool,
            "source": description.source,
            "claims": {claim: getattr(description, claim) for claim in CLAIMS},
        },
        length=description.events,
        seed=description.seed,
        dropped={printable(reason): count for reason, count in description.dropped.items()},
        notes=[printable(note) for note in description.notes],
        losses=_losses(description),
        capabilities=description.capabilities,
        program_run=description.program_run,
    )
    collect_times(trace)
    return trace


def _losses(description: Description) -> list[str]:
    """Return sentences about calls that are known to be missing from the trace.

    Files of older versions have only counts of dropped calls, which this function puts into words.
    """
    if description.losses:
        return [printable(loss) for loss in description.losses]
    lost = lost_calls(description.dropped, description.events)
    return [lost] if lost else []


def _chunks(
    file: OpenFile, layout: Layout, bounds: Bounds, name: str, column: ColumnReader | None
) -> Iterator[Any]:
    """Yield the events in chunks, each in its own array."""
    for row in range(0, layout.rows, CHUNK):
        count, offset = min(CHUNK, layout.rows - row), layout.begin + row * EVENT.itemsize
        chunk = np.empty(count, EVENT).view(np.recarray)
        with _reading(name):
            read = file.fill(chunk, offset)
            # Another process may have changed the length of the file, even if the read was
            # complete.
            length = file.size() if read == chunk.nbytes else offset + read
        _require_length(length, layout, name)
        _require_valid(chunk, bounds, row, name)
        if column is not None:
            with _reading(name):
                column.add(count_allocating(chunk), name)
        yield chunk
    if column is not None:
        column.require_end(name)


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turn an OSError into a TraceError."""
    try:
        yield
    except OSError as error:
        raise TraceError(f"{name}: cannot be read: {error.strerror or error}") from error


def _copies(source: Source, layout: Layout, bounds: Bounds) -> Iterator[Any]:
    """Yield the events of a source in chunks, as they are decompressed.

    All chunks use the same array.
    """
    chunk = no_events(CHUNK)
    room = memoryview(chunk.view(np.uint8))
    with closing(source):
        for row in range(0, layout.rows, CHUNK):
            count = min(CHUNK, layout.rows - row)
            read = source.read_into(room[: count * EVENT.itemsize])
            if read < count * EVENT.itemsize:
                length = layout.begin + row * EVENT.itemsize + read
                _require_length(length, layout, source.name)
            _require_valid(chunk[:count], bounds, row, source.name)
            yield chunk[:count]
        _skip_sites(source, layout, room)
        if _read(source, 1):
            _require_length(layout.length + 1, layout, source.name)


def _skip_sites(source: Source, layout: Layout, room: memoryview) -> None:
    """Read past the call sites, using `room` as a buffer; raise TraceError if they are cut off."""
    rest = layout.sites.length
    while rest:
        read = source.read_into(room[:rest])
        rest -= read
        if not read:
            _require_length(layout.length - rest, layout, source.name)


def _read(source: Source, count: int) -> bytes:
    """Return the next `count` bytes of a source, or fewer at the end of the source."""
    room = bytearray(count)
    return bytes(room[: source.read_into(memoryview(room))])


def _require_length(length: int, layout: Layout, name: str) -> None:
    """Raise TraceError unless the file is as long as its header says."""
    if length < layout.length:
        raise TraceError(
            f"{name}: the file is cut off: it has {length:,} of {layout.length:,} bytes; {REMEDY}"
        )
    if length > layout.length:
        raise TraceError(
            f"{name}: the file has more than the {layout.length:,} bytes that its header says; "
            f"{REMEDY}"
        )


def _require_valid(chunk: Any, bounds: Bounds, row: int, name: str) -> None:
    """Raise TraceError, naming the first invalid row, unless all rows are valid events."""
    position = first_invalid(chunk, bounds)
    if position is not None:
        defect = describe_invalid(chunk[position], bounds)
        raise TraceError(f"{name}, row {row + position + 1:,}: found {defect}; {REMEDY}")
