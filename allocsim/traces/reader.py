"""Reader: the base of all trace readers, which turn a source into calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from allocsim.text import printable
from allocsim.traces.source import Source

MAX_SHOWN = 80
"""Characters of a line that a message shows."""

SKIPPED = "skipped lines that are not of the format"
"""Beginning of the note on lines between calls, such as the program's own output."""


class Reader:
    """The calls of a source in batches, and what is missing from them."""

    process: int | None = None
    """The process that the user has chosen. Only a format whose process ids are also thread ids
    needs it; for the others, `object_ids` selects the process."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.notes: list[str] = []
        """Notes for the user; complete after the last batch."""
        self.losses: list[str] = []
        """Sentences on calls that are known to be missing; complete after the last batch."""

    @property
    def is_empty(self) -> bool:
        """Whether the source, read to its end, contained nothing at all."""
        return False

    @property
    def unreadable(self) -> int:
        """Calls that the reader found but could not read; complete after the last batch."""
        return 0

    @property
    def unknown_is_null(self) -> bool:
        """Whether an address without an object stands for NULL; complete after the last batch."""
        return False

    def batches(self) -> Iterator[Any]:
        """Yield arrays of CALL; an array may be reused for the batch that is AHEAD + 2 later."""
        raise NotImplementedError

    def drop_unended_line(self, number: int, line: bytes | bytearray) -> None:
        """Report that `line`, the text after the last newline, was dropped, unless it is blank.

        A recorder that is killed, or a full disk, ends a file anywhere, even inside a number: 104
        may have been 1048576. Nothing distinguishes such a line from a complete one, and a call
        that is missing does less harm than a wrong size. If the container is truncated, the import
        reports that instead.
        """
        if line.strip() and not self.source.truncated:
            self.losses.append(
                f"line {number:,}, the last, has no newline and may be cut off, so it was dropped: "
                f"{shown(line)}"
            )


def shown(content: bytes | bytearray) -> str:
    """Return the first line of `content` in quotes, up to MAX_SHOWN characters, for messages."""
    line, *_ = content[:200].split(b"\n")
    text = printable(line.decode("utf-8", "backslashreplace"))
    return f"'{text[:MAX_SHOWN]}{'…' if len(text) > MAX_SHOWN else ''}'"
