"""allocsim's own trace file: events on disk as they are in memory, behind a front that tells all.

Beside the readers of recordings, but with nothing to read: a plain file is mapped, and its chunks
are views of the mapping. Packed or on standard input the same bytes are streamed. Its one rule:
no event leaves here that the driver could stumble over, whoever wrote the file. A file that is cut
while it is mapped is refused at its next chunk; only one that is cut under a chunk in use is not.
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
from allocsim.trace_stats import Surveyor
from allocsim.traces.native.header import (
    AGAIN,
    HEADER,
    MAGIC,
    About,
    Layout,
    about_of,
    front,
    is_dense,
    layout_of,
    room_for,
)
from allocsim.traces.native.validate import Bounds, first_unsound, wrong_with
from allocsim.traces.source import Source

NAME = "allocsim"
SUMMARY = "allocsim's own file, as `allocsim trace convert` writes it: mapped, not read"


CLAIMS = ("events", "objects", "threads", "requested", "peak_live")
"""What a file says of its events that `allocsim trace check` counts again."""


def write_trace(trace: Trace, path: Path) -> None:
    """Write the whole stream, which is at its end then; `path` is whole or as it was."""
    with closing(trace), atomic_write(_plain(path)) as file:
        begin = room_for(_about(trace, Surveyor()))
        surveyor, rows = Surveyor(), 0
        file.seek(begin)
        for chunk in trace.chunks:
            _require_sound(chunk, Bounds(), rows, trace.name)
            surveyor.take(chunk)
            file.write(np.ascontiguousarray(chunk).view(np.uint8).data)
            rows += len(chunk)
        surveyor.require_sound(trace.name)
        about = _about(trace, surveyor)
        if not is_dense(about.objects, rows):
            raise InputError(
                f"{trace.name}: {rows:,} events number {about.objects:,} objects, too far apart "
                "for a file; `allocsim trace cut` numbers them anew"
            )
        file.seek(0)
        file.write(front(about, begin, rows))


def _plain(path: Path) -> Path:
    """The path, unless it is a device or a pipe: the front is written last."""
    if path.exists() and not path.is_file():
        raise InputError(f"'{path}' is no file: an allocsim trace can only be written into one")
    return path


def is_stored(path: str) -> bool:
    """Whether `path` is a plain file that begins as an allocsim trace."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return False
        with Path(path).open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, ValueError):
        return False


def read_trace(path: Path) -> Trace:
    """The trace in a plain file, which is mapped until the last view of it is gone."""
    name = str(path)
    try:
        with path.open("rb") as file:
            layout = layout_of(file.read(HEADER), name)
            file.seek(0)
            about = about_of(file.read(layout.begin), layout, name)
            length = file.seek(0, 2)
            _require_length(length, layout, name)
            mapping = _mapped(file.fileno(), length)
    except OSError as error:
        raise TraceError(f"{name}: cannot be read: {error.strerror or error}") from error
    return _trace(name, about, _views(mapping, layout, Bounds(about.objects, about.threads), name))


def read_stream(source: Source) -> Trace:
    """The trace that a source unpacks to; the source is closed when the stream is at its end."""
    name = source.name
    with ExitStack() as on_error:
        on_error.callback(source.close)
        header = _bytes_of(source, HEADER)
        layout = layout_of(header, name)
        about = about_of(header + _bytes_of(source, layout.begin - HEADER), layout, name)
        on_error.pop_all()
    trace = _trace(name, about, _copies(source, layout, Bounds(about.objects, about.threads)))
    trace.progress, trace.resource = source.share_read, source
    return trace


def _about(trace: Trace, surveyor: Surveyor) -> About:
    """What is known of a trace after what the surveyor has seen of it."""
    seen = surveyor.survey()
    return About(
        tool=f"allocsim {__version__}",
        name=trace.name,
        source=trace.description.get("source", trace.description),
        seed=trace.seed,
        events=seen.events,
        objects=seen.objects,
        threads=seen.thread_numbers,
        requested=seen.requested,
        peak_live=seen.peak_live,
        dropped=trace.dropped,
        notes=trace.notes,
    )


def _trace(name: str, about: About, chunks: Iterator[Any]) -> Trace:
    """The trace that a file holds."""
    return Trace(
        name=name,
        chunks=chunks,
        description={
            "kind": "trace",
            "file": name,
            "format": NAME,
            "written_by": about.tool,
            "source": about.source,
            "claims": {claim: getattr(about, claim) for claim in CLAIMS},
        },
        length=about.events,
        seed=about.seed,
        dropped={printable(reason): count for reason, count in about.dropped.items()},
        notes=list(about.notes),
    )


def _mapped(descriptor: int, length: int) -> mmap.mmap:
    """A private mapping of a file, to be read from its beginning to its end.

    Nobody writes to it. It could be written only so that its arrays are of the same type for the
    compiler as all others: a read-only one would have every kernel compiled once more.
    """
    flags = mmap.MAP_PRIVATE | NO_RESERVE
    mapping = mmap.mmap(descriptor, length, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
    mapping.madvise(mmap.MADV_SEQUENTIAL)
    return mapping


def _views(mapping: mmap.mmap, layout: Layout, bounds: Bounds, name: str) -> Iterator[Any]:
    """The events as views of the mapping; the pages of each are given back behind it."""
    begun = layout.begin // mmap.PAGESIZE * mmap.PAGESIZE
    for row in range(0, layout.rows, CHUNK):
        _require_length(mapping.size(), layout, name)  # of the file, which may have changed
        count, offset = min(CHUNK, layout.rows - row), layout.begin + row * EVENT.itemsize
        chunk = np.frombuffer(mapping, EVENT, count, offset).view(np.recarray)
        _require_sound(chunk, bounds, row, name)
        yield chunk
        ended = (offset + chunk.nbytes) // mmap.PAGESIZE * mmap.PAGESIZE
        if ended > begun:
            mapping.madvise(mmap.MADV_DONTNEED, begun, ended - begun)
        begun = ended


def _copies(source: Source, layout: Layout, bounds: Bounds) -> Iterator[Any]:
    """The events as they are unpacked, in one array that is used again."""
    chunk = no_events(CHUNK)
    room = memoryview(chunk.view(np.uint8))
    with closing(source):
        for row in range(0, layout.rows, CHUNK):
            count = min(CHUNK, layout.rows - row)
            read = source.read_into(room[: count * EVENT.itemsize])
            if read < count * EVENT.itemsize:
                length = layout.begin + row * EVENT.itemsize + read
                _require_length(length, layout, source.name)
            _require_sound(chunk[:count], bounds, row, source.name)
            yield chunk[:count]
        if _bytes_of(source, 1):
            _require_length(layout.length + 1, layout, source.name)


def _bytes_of(source: Source, count: int) -> bytes:
    """The next bytes of a source, fewer at its end."""
    room = bytearray(count)
    return bytes(room[: source.read_into(memoryview(room))])


def _require_length(length: int, layout: Layout, name: str) -> None:
    """TraceError unless the file is as long as its header says."""
    if length < layout.length:
        raise TraceError(
            f"{name}: the file ends after {length:,} bytes, its header says {layout.length:,}: "
            f"it was cut; {AGAIN}"
        )
    if length > layout.length:
        raise TraceError(
            f"{name}: the file goes on behind the {layout.length:,} bytes that its header says: "
            f"something was added to it; {AGAIN}"
        )


def _require_sound(chunk: Any, bounds: Bounds, row: int, name: str) -> None:
    """TraceError, naming the first row that is no event, if there is one in the chunk."""
    position = first_unsound(chunk, bounds)
    if position is not None:
        wrong = wrong_with(chunk[position], bounds)
        raise TraceError(f"{name}, row {row + position + 1:,}: found {wrong}; {AGAIN}")
