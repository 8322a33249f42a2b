"""Containers: the bytes of a trace out of a plain file, .gz, .zip or standard input.

Below the readers, which see one stream of bytes whatever it came in. The container is told by its
first bytes, not by its name. Its one rule: what is read is handed on as it is unpacked, so a
container that unpacks to a thousand times its size costs no memory.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from allocsim.errors import TraceError

GZIP = b"\x1f\x8b"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
IN_MEMORY = 16 << 20
"""Bytes of a zip on standard input that are kept in memory; a larger one goes to a file."""


class Source:
    """The unpacked bytes of a trace."""

    def __init__(self, name: str, raw: io.BufferedReader) -> None:
        """Unpack what `raw` begins with; TraceError if the container cannot be used."""
        self.name = name
        self.truncated = False
        """True when the container ended before its contents did."""
        self._raw = raw
        self._length = _length_of(raw)
        with self._clear_errors():
            self._stream = self._unpacked()

    def read_into(self, buffer: memoryview) -> int:
        """Fill `buffer` with the next bytes; how many, 0 only at the end."""
        filled = 0
        with self._clear_errors():
            while filled < len(buffer):
                read = self._read(buffer[filled:])
                if not read:
                    break
                filled += read
        return filled

    def share_read(self) -> float:
        """How much of the file has been read, 0 to 1; 0 when its length is not known."""
        if not self._length:
            return 0.0
        try:
            return min(self._raw.tell() / self._length, 1.0)
        except (OSError, ValueError):
            return 1.0

    def close(self) -> None:
        """Close the file."""
        self._stream.close()
        self._raw.close()

    def _read(self, buffer: memoryview) -> int:
        """Fill some of `buffer`; how much, 0 at the end or where a cut container ends."""
        try:
            return self._stream.readinto(buffer)
        except EOFError:
            self.truncated = True
            return 0

    def _unpacked(self) -> io.BufferedIOBase:
        """The stream inside the container."""
        head = self._raw.peek(4)[:4]
        if head.startswith(GZIP):
            return io.BufferedReader(gzip.GzipFile(fileobj=self._raw))
        if head.startswith(ZIP):
            return self._zip_member()
        return self._raw

    def _zip_member(self) -> io.BufferedIOBase:
        """The one file in a zip."""
        file: IO[bytes] = self._raw
        if not self._raw.seekable():
            file = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - lives as long as self
            for block in iter(lambda: self._raw.read(1 << 20), b""):
                file.write(block)
        archive = zipfile.ZipFile(file)
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            names = ", ".join(member.filename for member in members[:5]) or "none"
            raise TraceError(
                f"{self.name}: a zip with one trace is expected, it holds {len(members)} files "
                f"({names}): unpack the one that you mean"
            )
        return archive.open(members[0])  # type: ignore[return-value]

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Turn what the containers raise on broken input into a TraceError."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise TraceError(f"{self.name}: cannot be read: {reason}") from error
        except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as error:
            raise TraceError(
                f"{self.name}: its container is damaged or not supported: {error}"
            ) from error


def open_source(path: str) -> Source:
    """The bytes of a file, or of standard input when `path` is '-'."""
    if path == "-":
        return Source("standard input", open(sys.stdin.fileno(), "rb", closefd=False))
    try:
        return Source(path, Path(path).open("rb"))
    except OSError as error:
        reason = error.strerror or str(error)
        raise TraceError(
            f"{path}: {reason}; expected a recorded trace, or - for standard input"
        ) from error


def _length_of(raw: io.BufferedReader) -> int:
    """Bytes of the file as it lies on disk; 0 when it is a pipe."""
    try:
        return raw.seek(0, io.SEEK_END) if raw.seekable() else 0
    finally:
        if raw.seekable():
            raw.seek(0)
