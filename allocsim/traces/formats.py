"""Formats: what each can say of itself, what a reader gives, and which format a file is in.

Between the readers, one file each, and `open_trace`, which knows them all. A format is told by the
first bytes inside the container, never by a name. Its one rule: content that no format knows is
refused with its beginning and the list of formats, and is never guessed at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from allocsim.errors import InputError, TraceError, UnknownName
from allocsim.events import Trace
from allocsim.text import printable
from allocsim.traces.native.file import write_trace
from allocsim.traces.readers.aosp import write_aosp
from allocsim.traces.source import Source
from allocsim.traces.writers.parquet import write_parquet

HEAD = 1 << 16
"""Bytes of the unpacked content that a format may look at to know itself."""

CUT_CONTAINER = "the container stops early; what it held was read"
"""The note of a reader whose source was truncated."""


class Reader(Protocol):
    """The calls of a source, in batches, and what there is to say of them."""

    source: Source
    notes: list[str]
    """What the user should know; complete when the batches are at their end."""

    @property
    def is_empty(self) -> bool:
        """Whether the source, read to its end, held nothing at all."""

    def batches(self) -> Iterator[Any]:
        """Arrays of CALL; each may be used again when AHEAD + 2 more were made."""


@dataclass(frozen=True)
class Format:
    """A format of recordings."""

    name: str
    summary: str
    """What it is, with an example, in a line."""
    looks_like: Callable[[bytes], bool]
    """Whether content that begins with these bytes, at most HEAD, is of the format."""
    open: Callable[[Source], Reader]
    """A reader of a source, whose first bytes look like it unless the user forced the format."""


def format_of(source: Source, formats: Sequence[Format]) -> Format:
    """The first format that knows the beginning of `source`; TraceError if none does."""
    head = source.head(HEAD)
    for form in formats:
        if form.looks_like(head):
            return form
    if not head.strip():
        raise TraceError(f"{source.name}: the trace is empty")
    if head.lstrip().startswith(b"{") and b'"allocsim/' in head[:200]:
        found = "a saved result is for `allocsim check` and `allocsim compare A.json B.json`"
        raise TraceError(f"{source.name}: {found}")
    names = ", ".join(form.name for form in formats)
    way_out = "if it is one of these, name it with --format; `allocsim list formats` shows examples"
    if _is_table_of_rates(head):
        way_out = f"a table of sizes and rates is a workload: allocsim empirical {source.name}"
    raise TraceError(
        f"{source.name}: found {shown(head)}, which is the beginning of no known format ({names}); "
        f"{way_out}"
    )


def format_named(name: str, formats: Sequence[Format]) -> Format:
    """The format of that name; UnknownName if there is none."""
    for form in formats:
        if form.name == name:
            return form
    raise UnknownName("format", name, [form.name for form in formats])


def _is_table_of_rates(head: bytes) -> bool:
    """Whether the first line that says something is SIZE, ALLOC_RATE, NUM_LIVE."""
    lines = (line.strip() for line in head.splitlines())
    first = next((line for line in lines if line and not line.startswith(b"#")), b"")
    try:
        size, births, live = first.split(b",")
        return int(size) >= 0 and float(births) >= 0 and float(live) >= 0
    except ValueError:
        return False


def shown(content: bytes | bytearray) -> str:
    """The first line of `content`, in quotes, shortened to what a message can hold."""
    line, *_ = content[:200].split(b"\n")
    text = line.decode("utf-8", "backslashreplace")
    told = printable(text)
    return f"'{told[:80]}{'…' if len(told) > 80 else ''}'"


@dataclass(frozen=True)
class Writer:
    """A format that can be written."""

    suffixes: tuple[str, ...]
    """How the names of its files end."""
    write: Callable[[Trace, Path], None]
    """Writes a whole stream; the file is whole or as it was."""


WRITERS = {
    "allocsim": Writer((".allocsim",), write_trace),
    "aosp": Writer((".txt", ".txt.gz"), write_aosp),
    "parquet": Writer((".parquet",), write_parquet),
}
"""Every format that can be written, by name."""


def writer_for(path: Path, named: str | None = None) -> Writer:
    """The writer of a format that is named, or that the name of the file means; else InputError."""
    if named is not None:
        return WRITERS[named]
    for writer in WRITERS.values():
        if path.name.endswith(writer.suffixes):
            return writer
    known = ", ".join(f"{' or '.join(one.suffixes)} ({name})" for name, one in WRITERS.items())
    raise InputError(f"'{path}': its name does not say in which format to write; known are {known}")
