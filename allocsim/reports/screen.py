"""Standard output for reports: width, plain text, tables, and no trailing blanks.

COLUMNS sets the width. The default is a terminal's own width, and WIDE for a pipe or a file.

Reports show text from files: names of traces, reasons, messages of a library. Rich, the package
that renders reports, would read a string as markup, with which a file could hide text or place a
link. Rich would also pass escape sequences on to the terminal. Therefore no other module of reports
imports Rich. Reports print strings, or the results of `styled`, `indented` and `Table`: plain text
whose control characters are escaped.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeAlias

from rich import box, table
from rich.console import Console, ConsoleDimensions, ConsoleOptions, RenderableType
from rich.measure import Measurement
from rich.padding import Padding
from rich.segment import Segment
from rich.text import Text

from allocsim.text import printable

WIDE = 132
"""Width of a pipe or a file, in columns, if COLUMNS is not set."""

HEIGHT = 25
"""Height of a pipe or a file, in lines. No report depends on the height. It is set because Rich
would otherwise ask for the size of the terminal with every item."""

MIN_WIDTH = 40
"""Minimum width in columns. A narrower report would lose figures, so a smaller COLUMNS is raised to
this width."""

ROOMY = 110
"""Minimum width, in columns, at which a table has room for a note in each row."""

NARROW = 92
"""Width, in columns, below which bars are shorter and shares of the final footprint are omitted."""

_UNLIMITED = 10_000
"""More columns than any report needs. Tables are measured at this width."""


PlainText: TypeAlias = Text
"""Plain text in a style, as `styled` returns it."""


def styled(text: str, style: str = "") -> PlainText:
    """Return plain text in one style: not markup, with non-printable characters escaped."""
    return Text(printable(text), style=style)


def assembled(pieces: Iterable[tuple[str, str]]) -> PlainText:
    """Join pairs of (text, style) into one plain text, each piece in its style."""
    return Text.assemble(*((printable(text), style) for text, style in pieces))


def indented(text: str, columns: int, style: str = "") -> Padding:
    """Return plain text that is indented by `columns` columns."""
    return Padding(styled(text, style), (0, 0, 0, columns))


class Table(table.Table):
    """A table whose strings are plain text, as `styled` returns it."""

    def add_column(
        self, header: RenderableType = "", footer: RenderableType = "", **options: Any
    ) -> None:
        """Add a column; `options` are those of Rich."""
        super().add_column(_plain(header), _plain(footer), **options)

    def add_row(self, *cells: RenderableType | None, **options: Any) -> None:
        """Add a row of cells; `options` are those of Rich."""
        super().add_row(*(_plain(cell or "") for cell in cells), **options)


def plain_console(stderr: bool = False) -> Console:
    """Return a console of Rich that reads no markup.

    Rich calls int() on COLUMNS and LINES. int() fails for superscript digits and for a number of
    5,000 digits. If COLUMNS is huge, Rich would pad every line to that width. Therefore a value
    that int() refuses, or 0, is replaced by the size of the terminal, and a number above _UNLIMITED
    by _UNLIMITED.
    """
    width = height = None
    if any(_is_unusable(os.environ.get(name, "")) for name in ("COLUMNS", "LINES")):
        size = shutil.get_terminal_size((WIDE, HEIGHT))
        width, height = (min(max(each, MIN_WIDTH), _UNLIMITED) for each in size)
    return Console(
        stderr=stderr, width=width, height=height, markup=False, highlight=False, emoji=False
    )


def _is_unusable(text: str) -> bool:
    """Return whether Rich would call int() on a text, although it is no number from 1 to 9,999."""
    return text.isdigit() and not (text.isascii() and len(text) <= 4 and int(text) > 0)


class Screen:
    """Standard output, rendered by Rich. A `str` is printed as plain text, as in `styled`."""

    def __init__(self) -> None:
        console = plain_console()
        self.is_fixed = console.is_terminal or _columns() is not None
        """Whether the output has a fixed width that the report must fit into."""
        if not console.is_terminal:
            console.size = ConsoleDimensions(_columns() or WIDE, HEIGHT)
        elif columns := _columns():
            console.width = columns
        self.console = console
        self.ends_blank = False
        """Whether the last line is blank. If it is, a further blank line is not printed."""

    @property
    def has_colours(self) -> bool:
        """Whether the output can show colours and characters that are not ASCII."""
        console = self.console
        return not (console.color_system is None or console.no_color or console.options.ascii_only)

    @property
    def width(self) -> int:
        """Width of a line, in characters."""
        return self.console.width

    def print(self, *items: RenderableType) -> None:
        """Print each item on its own lines, without trailing blanks or two blank lines in a row."""
        for item in items:
            self.console.print(_Trimmed(_plain(item), self))

    def print_table(
        self, table: Table, min_columns: int = 1, expendable: Sequence[str] | None = None
    ) -> None:
        """Print a table whose columns do not wrap; if it is too wide, drop columns from the right.

        The first `min_columns` are not dropped. With `expendable`, only the columns with these
        headers are dropped, in this order; if the table is still too wide, its first column wraps.
        If the screen has no fixed width, the screen becomes wider instead.
        """
        titles = [str(column.header) for column in table.columns]
        columns = [*range(len(titles))]
        order = _dropped_columns(titles, min_columns, expendable)
        while (needed := self._needed_width(table)) > self.width:
            if not self.is_fixed:
                self.console.width = needed
            elif (column := next(order, None)) is not None:
                del table.columns[columns.index(column)]
                columns.remove(column)
                # Rich pads the first and the last column differently, and finds them by their
                # numbers. Therefore the columns are renumbered.
                numbered = enumerate(table.columns)
                table.columns = [replace(each, _index=number) for number, each in numbered]
            else:
                table.columns[0].no_wrap = expendable is None
                break
        self.print(table)
        hidden = [title for column, title in enumerate(titles) if title and column not in columns]
        if hidden:
            self.print(styled(f"not shown at this width: {', '.join(hidden)}", "dim"))

    def print_items(self, items: Sequence[str]) -> None:
        """Print items on as few lines as they need, without breaking an item."""
        line = ""
        for item in items:
            longer = f"{line} · {item}" if line else item
            if line and len(longer) > self.width:
                self.print(line)
                longer = item
            line = longer
        self.print(line)

    def _needed_width(self, table: Table) -> int:
        """Return the width at which every cell of a table fits on one line."""
        options = self.console.options.update(width=_UNLIMITED)
        return Measurement.get(self.console, options, table).maximum


def _dropped_columns(
    titles: Sequence[str], min_columns: int, expendable: Sequence[str] | None
) -> Iterator[int]:
    """Yield the numbers of the columns to drop from a table that is too wide, in order."""
    if expendable is None:
        yield from range(len(titles) - 1, min_columns - 1, -1)
        return
    for wanted in dict.fromkeys(expendable):
        yield from [column for column, title in enumerate(titles) if title == wanted]


def simple_table(title: str | None = None) -> Table:
    """Return an empty table with a rule below its head, and with a title if one is given."""
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")


def _plain(item: RenderableType) -> RenderableType:
    """Return a string as plain text, and anything else unchanged."""
    return styled(item) if isinstance(item, str) else item


class _Trimmed:
    """An item that Rich can render, without the blanks that pad its lines to the full width.

    Of several blank lines in a row, only the first is printed, because every table begins and ends
    with a blank line.
    """

    def __init__(self, item: RenderableType, screen: Screen) -> None:
        self.item, self.screen = item, screen

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        """Render the item line by line."""
        for line in console.render_lines(self.item, options, pad=False):
            segments = _trim(line)
            if segments or not self.screen.ends_blank:
                yield from segments
                yield Segment.line()
            self.screen.ends_blank = not segments


def _trim(line: Iterable[Segment]) -> list[Segment]:
    """Return the segments of a line without trailing blanks."""
    segments = list(line)
    while segments and not segments[-1].text.strip():
        segments.pop()
    if segments:
        last = segments.pop()
        segments.append(Segment(last.text.rstrip(), last.style, last.control))
    return segments


def _columns() -> int | None:
    """Return the value of COLUMNS in the environment, or None if it is not a positive number.

    Returns at most _UNLIMITED, because some lines are padded to the width.
    """
    text = os.environ.get("COLUMNS", "").lstrip("0")
    if not (text.isascii() and text.isdecimal()):
        return None
    return max(int(text), MIN_WIDTH) if len(text) < len(str(_UNLIMITED)) else _UNLIMITED
