"""The file to which a sweep appends its results. Each line is a row in JSON.

A row is the result of one cell, that is, of one measurement of the sweep. A row is appended as
soon as the cell has been measured.

A line is written by one system call, so a process that is killed leaves at most one incomplete
line, the last. The next sweep removes that line. Two sweeps cannot write to one file at once.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, NamedTuple

import msgspec

from allocsim import __version__
from allocsim.errors import EnvironmentLacks, InputError
from allocsim.input_file import names_file, require_regular
from allocsim.sweep.cell import Cell
from allocsim.sweep.row import Row
from allocsim.sweep.setting_bounds import SettingBounds

MAX_LINE = 1 << 20
"""Maximum length of a line in bytes."""

_BEGIN = b'{"schema":'
"""The beginning of every line."""


class Known(NamedTuple):
    """The conditions under which a cell was measured, according to its last row."""

    failed: bool
    limit: int | None
    runs: int | None
    """Number of timed replays. None if there are no times."""
    warmup: int | None
    reserve: int | None
    timeout: float | None

    @classmethod
    def of(cls, row: Row) -> Known:
        """Return how the cell of a row was measured."""
        runs, failed = row.times.runs if row.times else None, row.failure is not None
        return cls(failed, row.limit, runs, row.warmup, row.reserve, row.timeout)

    def changes(self, cell: Cell) -> tuple[str, ...]:
        """Return the options whose values in the row and in `cell` differ.

        The timeout is compared only if the row is a failure, because a timeout does not change
        other results. An option without a value in the row counts as equal. The exception is
        --limit: no value means that the user gave no limit, which differs from every limit.
        """
        pairs = (
            ("--runs", self.runs, cell.runs),
            ("--warmup", self.warmup, cell.warmup),
            ("--reserve", self.reserve, cell.reserve),
            ("--timeout", self.timeout if self.failed else None, cell.timeout),
        )
        limit = () if self.limit == cell.limit else ("--limit",)
        return limit + tuple(option for option, old, new in pairs if old not in (None, new))


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file in their order, without an incomplete last line.

    Raises InputError if the file cannot be read, is not regular or has a line that is not a row.
    """
    require_regular(path)
    try:
        with path.open("rb") as file:
            yield from (row for row, _ in _rows(file, path))
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror}") from None


def require_rows(path: Path) -> None:
    """Raise InputError if the first line of a file is not a row of this version."""
    if names_file(path):
        for row in islice(read_rows(path), 1):
            _require_version(row, path)


class RowsFile:
    """A file to which a sweep appends its rows."""

    def __init__(self, path: Path) -> None:
        """Open a file, or create it.

        Raises InputError if the file has anything but rows of this version. Raises
        EnvironmentLacks if it cannot be written or another process writes to it.
        """
        self.path = path
        require_regular(path)
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise EnvironmentLacks(f"cannot write '{path}': {error.strerror}") from None
        try:
            self._lock()
            self.done = self._read()
        except BaseException:
            os.close(self._file)
            raise

    def append(self, row: Row) -> None:
        """Write a row. Raises EnvironmentLacks if it cannot be written."""
        rest = memoryview(msgspec.json.encode(row) + b"\n")
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise EnvironmentLacks(f"cannot write '{self.path}': {error.strerror}") from None
        self.done[row.key] = Known.of(row)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _lock(self) -> None:
        """Lock the file until it is closed."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise EnvironmentLacks(f"another sweep writes to '{self.path}'") from None

    def _read(self) -> dict[bytes, Known]:
        """Return the cells in the file, and remove an incomplete last line."""
        done, interned, end = dict[bytes, Known](), dict[Known, Known](), 0
        with self.path.open("rb") as file:
            for row, position in _rows(file, self.path):
                _require_version(row, self.path)
                known = Known.of(row)
                done[row.key], end = interned.setdefault(known, known), position
        if end < os.fstat(self._file).st_size:
            os.ftruncate(self._file, end)
        return done


def _rows(file: IO[bytes], path: Path) -> Iterator[tuple[Row, int]]:
    """Yield each row and the position of its end; stop before an incomplete last line."""
    end, number = 0, 0
    decoder, bounds = msgspec.json.Decoder(Row), SettingBounds()
    while line := file.readline(MAX_LINE):
        number += 1
        if not line.endswith(b"\n"):
            if len(line) == MAX_LINE or not (line.startswith(_BEGIN) or _BEGIN.startswith(line)):
                raise _not_a_row(path, number)
            return
        try:
            row = decoder.decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _not_a_row(path, number) from None
        if fault := bounds.fault(row):
            raise InputError(f"{path}, line {number}: {fault}")
        end += len(line)
        yield row, end


def _require_version(row: Row, path: Path) -> None:
    """Raise InputError if another version of allocsim measured a row."""
    version = row.versions.get("allocsim", __version__)
    if version != __version__:
        raise InputError(f"'{path}' has rows of allocsim {version}; use another file")


def _not_a_row(path: Path, number: int) -> InputError:
    """Return the error for a line that is not a row of a sweep."""
    return InputError(f"{path}, line {number}: not a row of `allocsim sweep`; use another file")
