"""Reader: the base class of the readers. A reader parses the bytes of a recording into calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from allocsim.call_sites.numbers import CallSites
from allocsim.text import printable, shortened
from allocsim.traces.source import Source

SKIPPED = "skipped lines that are not in the format"
"""Beginning of the note on lines that are not calls, such as output of the program."""


class Reader:
    """The calls (see `calls`) of a source (see `source`) in batches, with notes and losses."""

    process: int | None = None
    """The process chosen with --process, or None. Only `readers.ltrace` uses it, because ltrace
    does not distinguish process ids from thread ids. For other formats, `object_ids` selects the
    calls of the process."""

    knows_sites = False
    """Whether the reader can read call sites (see `call_sites`)."""

    sites: CallSites | None = None
    """None if call sites were not requested, or if the reader cannot read them. Else, the reader
    sets `site` of each call that allocates, and stores `sites.table` after the last batch."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.notes: list[str] = []
        """Sentences for the user; complete after the last batch."""
        self.losses: list[str] = []
        """Sentences on calls that are known to be missing; complete after the last batch."""

    @property
    def is_empty(self) -> bool:
        """Whether the source was empty; final after the last batch."""
        return False

    @property
    def unreadable(self) -> int:
        """Number of calls that the reader found but could not parse; final after the last batch."""
        return 0

    @property
    def unknown_is_null(self) -> bool:
        """Whether the recording does not distinguish NULL from addresses (see `readers.logalloc`).

        An address without a live object is then taken for NULL. Final after the last batch.
        """
        return False

    def batches(self) -> Iterator[Any]:
        """Yield the calls in batches, which are arrays of CALL.

        The array of a batch may be reused AHEAD + 2 batches later (see `prefetch`).
        """
        raise NotImplementedError

    def drop_unended_line(self, number: int, line: bytes | bytearray) -> None:
        """Report that `line`, the text after the last newline, was dropped, unless it is blank.

        If a recorder is killed or the disk is full, the file may end anywhere, even inside a
        number: 104 may be the beginning of 1048576. A line that was cut off cannot be distinguished
        from a whole line without a newline, and a missing call does less harm than a wrong size. If
        a compressed file is truncated, the import reports the truncation instead.
        """
        if line.strip() and not self.source.truncated:
            self.losses.append(
                f"line {number:,}, the last, has no newline and may be cut off, so it was dropped: "
                f"{shown(line)}"
            )


def shown(content: bytes | bytearray) -> str:
    """Return the first line of `content` in quotes, shortened for messages."""
    line, *_ = content[:200].split(b"\n")
    text = printable(line.decode("utf-8", "backslashreplace"))
    return f"'{shortened(text)}'"
