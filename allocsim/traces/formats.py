"""Trace formats: what each one declares, what a reader provides, and which format a file has.

The format is detected from the first bytes inside the container, never from the file's name.
If no format recognises the content, an error shows its beginning and lists the formats.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from allocsim.errors import TraceError, UnknownName
from allocsim.text import printable
from allocsim.traces.native.header import NAME
from allocsim.traces.source import Source

MAX_HEAD = 1 << 16
"""Bytes of the unpacked content that a format may inspect to recognise itself."""

MAX_SHOWN = 80
"""Characters of a line that an error message shows."""

TRUNCATED = "the compressed file ends early; its content up to there was read"
"""Note of a reader whose source was truncated."""


class Reader(Protocol):
    """The calls of a source in batches, and notes on them."""

    source: Source
    notes: list[str]
    """Notes for the user; complete after the last batch."""

    @property
    def is_empty(self) -> bool:
        """Whether the source, read to its end, contained nothing at all."""

    def batches(self) -> Iterator[Any]:
        """Yield arrays of CALL; an array may be reused for the batch that is AHEAD + 2 later."""


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
        raise TraceError(f"{source.name}: the trace is empty")
    if head.lstrip().startswith(b"{") and b'"allocsim/' in head[:200]:
        raise TraceError(
            f"{source.name}: this is a saved result; use it with `allocsim check` or "
            "`allocsim compare A.json B.json`"
        )
    if _is_table_of_rates(head):
        raise TraceError(
            f"{source.name}: this is a table of sizes and rates; generate its workload with "
            f"`allocsim empirical {source.name}`"
        )
    names = ", ".join(form.name for form in formats)
    raise TraceError(
        f"{source.name}: unknown format, found {shown(head)}; expected one of: {names}. If it is "
        "one of these, name it with --format; `allocsim list formats` shows examples"
    )


def format_named(name: str, formats: Sequence[Format]) -> Format:
    """Return the format called `name`; UnknownName if none exists."""
    for form in formats:
        if form.name == name:
            return form
    raise UnknownName("format", name, [NAME, *(form.name for form in formats)])


def _is_table_of_rates(head: bytes) -> bool:
    """Return whether the first line that is not a comment has SIZE, ALLOC_RATE, NUM_LIVE.

    The line may be a header with these names, or the three numbers of one size.
    """
    lines = (line.strip() for line in head.splitlines())
    first = next((line for line in lines if line and not line.startswith(b"#")), b"")
    if first.replace(b" ", b"").lower() == b"size,alloc_rate,num_live":
        return True
    try:
        size, rate, live = first.split(b",")
        return int(size) >= 0 and float(rate) >= 0 and float(live) >= 0
    except ValueError:
        return False


def shown(content: bytes | bytearray) -> str:
    """Return the first line of `content` in quotes, up to MAX_SHOWN characters, for messages."""
    line, *_ = content[:200].split(b"\n")
    text = printable(line.decode("utf-8", "backslashreplace"))
    return f"'{text[:MAX_SHOWN]}{'…' if len(text) > MAX_SHOWN else ''}'"
