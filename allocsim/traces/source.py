"""Containers: the bytes of a trace out of a plain file, a packed one or standard input.

Below the readers, which see one stream of bytes whatever it came in. The container is told by its
first bytes, not by its name. Its one rule: what is read is handed on as it is unpacked, so a
container that unpacks to a thousand times its size costs no memory.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import os
import struct
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from allocsim.errors import EnvironmentLacks, TraceError
from allocsim.traces import decompress

GZIP = b"\x1f\x8b"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
BZIP2, XZ, ZSTD = b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"
IN_MEMORY = 16 << 20
"""Bytes of a zip on standard input that are kept in memory; a larger one goes to a file."""


MOST_COPIED = 4 << 30
"""Bytes of a container, or of a pipe, that are copied to a file for a format that needs one."""

LONGEST_DIRECTORY = 1 << 20
"""Bytes of the directory in a zip, which zipfile reads at once and makes ten times as much of; that
of one file has some hundred."""

SHOWN = 80
"""Characters of the name of a file in a zip that a message shows."""


class Source:
    """The unpacked bytes of a trace."""

    def __init__(self, name: str, raw: io.BufferedReader) -> None:
        """Unpack what `raw` begins with; TraceError if the container cannot be used."""
        self.name = name
        self.truncated = False
        """True when the container ended before its contents did."""
        self._raw = raw
        self._head = b""
        self._length = _length_of(raw)
        with contextlib.ExitStack() as opened, self._clear_errors():
            opened.enter_context(raw)
            self._stream = self._unpacked(opened)
            self._opened = opened.pop_all()  # closed with this source; if it failed, now

    def head(self, size: int) -> bytes:
        """The next bytes, at most `size`, which stay to be read."""
        ahead = bytearray(max(size - len(self._head), 0))
        self._head += ahead[: self._unpack_into(memoryview(ahead))]
        return self._head[:size]

    def read_into(self, buffer: memoryview) -> int:
        """Fill `buffer` with the next bytes; how many, 0 only at the end."""
        known = min(len(self._head), len(buffer))
        buffer[:known] = self._head[:known]
        self._head = self._head[known:]
        return known + self._unpack_into(buffer[known:])

    def _unpack_into(self, buffer: memoryview) -> int:
        """Fill `buffer` with the next bytes from the container; how many."""
        filled = 0
        with self._clear_errors():
            while filled < len(buffer):
                read = self._read(buffer[filled:])
                if not read:
                    break
                filled += read
        return filled

    def as_file(self) -> IO[bytes]:
        """The unpacked bytes as a regular file: the file itself, if it is plain, else a copy.

        Nothing may have been read; the copy has no name and is gone when it is closed.
        """
        with self._clear_errors():
            if self._stream is self._raw and self._length:
                return os.fdopen(os.dup(self._raw.fileno()), "rb")
            with contextlib.ExitStack() as failing, _copying(self.name):
                copy = failing.enter_context(tempfile.TemporaryFile())
                self._copy_to(copy)
                failing.pop_all()
            return copy

    def _copy_to(self, copy: IO[bytes]) -> None:
        """Write all bytes to `copy`, and go back to its beginning."""
        block = memoryview(bytearray(1 << 20))
        while length := self.read_into(block):
            copy.write(block[:length])
            if copy.tell() > MOST_COPIED:
                raise TraceError(
                    f"{self.name}: holds more than {MOST_COPIED >> 30} GiB, and its format is read "
                    "from a file only: unpack it, and give the file"
                )
        copy.seek(0)

    def share_read(self) -> float:
        """How much of the file has been read, 0 to 1; 0 when its length is not known."""
        if not self._length or self._head:
            return 0.0
        try:
            return min(self._raw.tell() / self._length, 1.0)
        except (OSError, ValueError):
            return 1.0

    def close(self) -> None:
        """Close the file and what was opened in it."""
        self._opened.close()

    def _read(self, buffer: memoryview) -> int:
        """Fill some of `buffer`; how much, 0 at the end or where a cut container ends."""
        try:
            # read1 hands on what there is, where readinto would lose it to the end of a cut file.
            data = self._stream.read1(len(buffer))
        except EOFError:
            self.truncated = True
            return 0
        buffer[: len(data)] = data
        return len(data)

    def _unpacked(self, opened: contextlib.ExitStack) -> io.BufferedIOBase:
        """The stream inside the container."""
        head = self._raw.peek(6)[:6]
        if head.startswith(GZIP):
            return opened.enter_context(gzip.GzipFile(fileobj=self._raw))
        if head.startswith(ZIP):
            return self._zip_member(opened)
        for magic, begin in _PARTS.items():
            if head.startswith(magic):
                return decompress.Unpacked(self._raw, begin)
        return self._raw

    def _zip_member(self, opened: contextlib.ExitStack) -> io.BufferedIOBase:
        """The one file in a zip."""
        file: IO[bytes] = self._raw
        if not self._raw.seekable():
            spool = tempfile.SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - opened closes it
            file = opened.enter_context(spool)
            for block in iter(lambda: self._raw.read(1 << 20), b""):
                with _copying(self.name):
                    file.write(block)
                    file.flush()
        guarded = _Guarded(file)
        archive = opened.enter_context(zipfile.ZipFile(cast("IO[bytes]", guarded)))
        guarded.most = sys.maxsize
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) != 1:
            names = ", ".join(member.filename[:SHOWN] for member in members[:5]) or "none"
            raise TraceError(
                f"{self.name}: a zip with one trace is expected, it holds {len(members)} files "
                f"({names}): unpack the one that you mean"
            )
        if members[0].compress_type == zipfile.ZIP_LZMA:
            self._refuse_large_dictionary(file, members[0].header_offset)
        member = opened.enter_context(archive.open(members[0]))
        return cast("io.BufferedIOBase", member)

    def _refuse_large_dictionary(self, file: IO[bytes], header: int) -> None:
        """TraceError if LZMA would need more memory for a member than xz may have.

        The size stands behind the local header (30 bytes, a name and an extra field), the version
        of LZMA and the length of its properties (2 bytes each), and the first property.
        """
        file.seek(header + 26)
        name, extra = struct.unpack("<HH", file.read(4).ljust(4, b"\0"))
        file.seek(header + 30 + name + extra + 5)
        needed = int.from_bytes(file.read(4), "little")
        if needed > decompress.XZ_MEMORY:
            raise TraceError(
                f"{self.name}: unpacking it takes {needed >> 20:,} MiB of memory, more than the "
                f"{decompress.XZ_MEMORY >> 20} MiB that are allowed: pack it anew"
            )

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        """Turn what the containers raise on broken input into a TraceError."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise TraceError(f"{self.name}: cannot be read: {reason}") from error
        except _DAMAGE as error:
            raise TraceError(
                f"{self.name}: its container is damaged or not supported: {error}"
            ) from error


@contextlib.contextmanager
def _copying(name: str) -> Iterator[None]:
    """A block that writes a copy; EnvironmentLacks if there is no room for it."""
    try:
        yield
    except OSError as error:
        raise EnvironmentLacks(
            f"{name}: no room for the copy that it is read from: {error.strerror or error}; "
            "the variable TMPDIR names the directory of such copies"
        ) from error


class _Guarded:
    """A file, of which zipfile reads at most so much at once."""

    def __init__(self, file: IO[bytes]) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self.most = LONGEST_DIRECTORY
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """The next bytes; BadZipFile if they are too many."""
        if size > self.most:
            raise zipfile.BadZipFile(f"a directory of {size:,} bytes is not that of one file")
        return self._file.read(size)


_PARTS = {
    BZIP2: decompress.bzip2_part,
    XZ: decompress.xz_part,
    ZSTD: decompress.zstd_part,
}
"""What unpacks a part of a container that begins with these bytes."""

_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, ValueError)
"""What the containers raise; RuntimeError also for what they do not support."""


def open_source(path: str) -> Source:
    """The bytes of a file, or of standard input when `path` is '-'."""
    if path == "-":
        if sys.stdin is None:
            raise TraceError("standard input is closed; expected a recorded trace")
        return Source("standard input", open(sys.stdin.fileno(), "rb", closefd=False))
    try:
        return Source(path, Path(path).open("rb"))
    except IsADirectoryError as error:
        raise TraceError(
            f"{path}: is a directory; one of LTTng's is read through its printer: "
            f"babeltrace2 {path} | allocsim replay -"
        ) from error
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
