"""Trace formats: what each one declares, what a reader provides, and which format a file has.

The format is detected from the first bytes inside the container, never from the file's name.
If no format recognises the content, an error shows its beginning and lists the formats.
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
"""Bytes of the unpacked content that a format may inspect to recognise itself."""


@dataclass(frozen=True)
class Format:
    """A format of recordings."""

    name: str
    summary: str
    """Description in one line, with an example."""
    looks_like: Callable[[bytes], bool]
    """Tell from the first bytes of the content, at most MAX_HEAD, whether it is of the format."""
    open: Callable[[Source], Reader]
    """Make a reader of a source. Unless the user forced the format, the source's first bytes look
    like it."""


def detect_format(source: Source, formats: Sequence[Format]) -> Format:
    """Return the first of `formats` that recognises the beginning of `source`; else TraceError."""
    head = source.head(MAX_HEAD)
    for form in formats:
        if form.looks_like(head):
            return form
    if not head.strip():
        raise TraceError(f"{source.name}: {source.emptiness()}")
    require_recording(source.name, head)
    names = ", ".join(form.name for form in formats)
    raise TraceError(
        f"{source.name}: unknown format, found {shown(head)}; expected one of: {names}. If it is "
        "one of these, name it with --format; `allocsim list formats` shows examples"
    )


def forced_format(source: Source, name: str, formats: Sequence[Format]) -> Format:
    """Return the format called `name`; TraceError if the source is known not to be a recording."""
    form, head = format_named(name, formats), source.head(MAX_HEAD)
    if not form.looks_like(head):
        require_recording(source.name, head)
    return form


def format_named(name: str, formats: Sequence[Format]) -> Format:
    """Return the format called `name`; UnknownName if none exists."""
    for form in formats:
        if form.name == name:
            return form
    raise UnknownName("format", name, [NAME, *(form.name for form in formats)])
