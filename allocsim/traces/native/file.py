"""Reading and writing of allocsim traces.

A plain file is mapped, and its chunks are views of the mapping: nothing is parsed or copied. A
compressed file or standard input is streamed. Every event is validated before it leaves this
module. If a mapped file is truncated while it is read, the next chunk raises an error. Only a
truncation inside the chunk in use cannot be caught.
"""

from __future__ import annotations

import mmap
import stat
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import numpy as np

from allocsim import __version__
from allocsim.atomic_file import atomic_write
from allocsim.core.memory import NO_RESERVE
from allocsim.errors import InputError, TraceError
from allocsim.events import CHUNK, EVENT, Trace, no_events
from allocsim.text import printable
from allocsim.trace_stats import StatsCollector
from allocsim.traces.losses import lost_calls
from allocsim.traces.native.header import (
    FIXED_SIZE,
    MAGIC,
    NAME,
    REMEDY,
    Description,
    Layout,
    encode_header,
    header_size,
    is_dense,
    parse_description,
    parse_layout,
)
from allocsim.traces.native.validate import Bounds, describe_invalid, first_invalid
from allocsim.traces.source import Source

SUMMARY = "allocsim's own file, as `allocsim trace convert` writes it: mapped, not parsed"

CLAIMS = ("events", "objects", "threads", "requested", "peak_live")
"""Figures in the header that `allocsim trace check` recomputes."""


def write_trace(trace: Trace, path: Path) -> None:
    """Write the whole trace and close it. After an error, a file that existed is unchanged."""
    with closing(trace), atomic_write(_regular(path)) as file:
        begin = header_size(_description(trace, StatsCollector()))
        collector, rows = StatsCollector(), 0
        file.seek(begin)
        for chunk in trace.chunks:
            _require_valid(chunk, Bounds(), rows, trace.name)
            collector.add(chunk)
            file.write(np.ascontiguousarray(chunk).view(np.uint8).data)
            rows += len(chunk)
        collector.require_valid(trace.name)
        description = _description(trace, collector)
        if not is_dense(description.objects, rows):
            raise InputError(
                f"{trace.name}: object ids up to {description.objects:,} in {rows:,} events are "
                "too sparse for a file; renumber them with `allocsim trace cut`"
            )
        file.seek(0)
        file.write(encode_header(description, begin, rows))


def _regular(path: Path) -> Path:
    """Return the path; InputError for a device or pipe, since the header is written last."""
    if path.exists() and not path.is_file():
        raise InputError(f"'{path}' is not a regular file; an allocsim trace needs one")
    return path


def is_allocsim_trace(path: str) -> bool:
    """Return whether `path` is a plain file that begins like an allocsim trace."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return False
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def read_trace(path: Path) -> Trace:
    """Return the trace in a plain file, which stays mapped until its last chunk is released."""
    name = str(path)
    try:
        with path.open("rb") as file:
            layout = parse_layout(file.read(FIXED_SIZE), name)
            file.seek(0)
            description = parse_description(file.read(layout.begin), layout, name)
            length = file.seek(0, 2)
            _require_length(length, layout, name)
            mapping = _mapped(file.fileno(), length)
    except OSError as error:
        raise TraceError(f"{name}: cannot be read: {error.strerror or error}") from error
    bounds = Bounds(description.objects, description.threads)
    return _trace(name, description, _views(mapping, layout, bounds, name))


def read_stream(source: Source) -> Trace:
    """Return the trace in a source, which is closed at the end of the stream."""
    name = source.name
    with ExitStack() as on_error:
        on_error.callback(source.close)
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
    """Return the description of a trace whose events the collector has seen."""
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
    )


def _trace(name: str, description: Description, chunks: Iterator[Any]) -> Trace:
    """Return a trace of these chunks with the figures and notes of the file's description."""
    return Trace(
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
        notes=list(description.notes),
        losses=_losses(description),
        capabilities=description.capabilities,
    )


def _losses(description: Description) -> list[str]:
    """Return the losses of the trace; older versions stored only the counts of dropped calls."""
    if description.losses:
        return [printable(loss) for loss in description.losses]
    lost = lost_calls(description.dropped, description.events)
    return [lost] if lost else []


def _mapped(descriptor: int, length: int) -> mmap.mmap:
    """Return a private mapping of a file, for sequential reading.

    The mapping is writable, although nothing writes to it. Numba treats read-only arrays as a type
    of their own, and would compile every kernel a second time for them.
    """
    flags = mmap.MAP_PRIVATE | NO_RESERVE
    mapping = mmap.mmap(descriptor, length, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    mapping.madvise(mmap.MADV_SEQUENTIAL)
    return mapping


def _views(mapping: mmap.mmap, layout: Layout, bounds: Bounds, name: str) -> Iterator[Any]:
    """Yield the events as views of the mapping; release the pages of each chunk after its use."""
    start = layout.begin // mmap.PAGESIZE * mmap.PAGESIZE
    for row in range(0, layout.rows, CHUNK):
        _require_length(mapping.size(), layout, name)  # the file may have changed
        count, offset = min(CHUNK, layout.rows - row), layout.begin + row * EVENT.itemsize
        chunk = np.frombuffer(mapping, EVENT, count, offset).view(np.recarray)
        _require_valid(chunk, bounds, row, name)
        yield chunk
        end = (offset + chunk.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
        if end > start:
            mapping.madvise(mmap.MADV_DONTNEED, start, end - start)
        start = end


def _copies(source: Source, layout: Layout, bounds: Bounds) -> Iterator[Any]:
    """Yield the events as they are decompressed, in one array that is reused."""
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
        if _read(source, 1):
            _require_length(layout.length + 1, layout, source.name)


def _read(source: Source, count: int) -> bytes:
    """Return the next `count` bytes of a source; fewer at its end."""
    room = bytearray(count)
    return bytes(room[: source.read_into(memoryview(room))])


def _require_length(length: int, layout: Layout, name: str) -> None:
    """Raise TraceError unless the file is as long as its header says."""
    if length < layout.length:
        raise TraceError(
            f"{name}: the file ends after {length:,} bytes, its header says {layout.length:,}: "
            f"it is cut off; {REMEDY}"
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
