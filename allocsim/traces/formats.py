"""Trace formats: the declaration of a format, and the detection of a file's format.

The format is detected from the first bytes of the decompressed content, never from the file's name.
If no format recognises the content, the error shows the first line and lists the formats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from allocsim.errors import TraceError, UnknownName
from allocsim.traces.native.header import NAME
from allocsim.traces.not_recordings import require_recording
from allocsim.traces.reader import Reader, shown
from allocsim.traces.source import Source

MAX_HEAD = 1 << 16
"""Maximum bytes of the decompressed content that a format may inspect to recognise a file."""


@dataclass(frozen=True)
class Format:
    """A format of recordings."""

    name: str
    summary: str
    """Description in one line. Some descriptions contain an example."""
    looks_like: Callable[[bytes], bool]
    """Returns whether a file that begins with the given bytes, at most MAX_HEAD, is of this
    format."""
    open: Callable[[Source], Reader]
    """Returns a reader for a source (see `source`). The source's first bytes satisfy `looks_like`,
    unless the user chose the format with --format."""


def detect_format(source: Source, formats: Sequence[Format]) -> Format:
    """Return the first of `formats` that recognises the beginning of `source`.

    Raises TraceError if no format recognises it.
    """
    head = source.head(MAX_HEAD)
    for form in formats:
        if form.looks_like(head):
            return form
    if not head.strip():
        raise TraceError(f"{source.name}: {source.emptiness()}")
    require_recording(source.name, head)
    names = ", ".join(form.name for form in formats)
    raise TraceError(
        f"{source.name}: unknown format, found {shown(head)}; expected one of: {names}. If the "
        "file is in one of these formats, give the format with --format; `allocsim list formats` "
        "shows examples"
    )


def forced_format(source: Source, name: str, formats: Sequence[Format]) -> Format:
    """Return the format called `name`, which the user chose.

    Raises TraceError if the format does not recognise the source, and the source is known to be
    something other than a recording (see `not_recordings`).
    """
    form, head = format_named(name, formats), source.head(MAX_HEAD)
    if not form.looks_like(head):
        require_recording(source.name, head)
    return form


def format_named(name: str, formats: Sequence[Format]) -> Format:
    """Return the format called `name`; raise UnknownName if no format has this name."""
    for form in formats:
        if form.name == name:
            return form
    raise UnknownName("format", name, [NAME, *(form.name for form in formats)])
