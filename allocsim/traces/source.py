"""Sources: the bytes of a trace, from a plain or compressed file, a zip or standard input.

A reader of traces sees one stream of bytes. The container (gzip, bzip2, xz, zstd, zip or none) is
detected from the file's first bytes, not from its name. Content is decompressed as it is read, so
memory use does not depend on its length.
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
from codecs import BOM_UTF8
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from allocsim.errors import EnvironmentLacks, TraceError
from allocsim.text import shell_argument, shortened
from allocsim.traces import decompress

GZIP = b"\x1f\x8b"
ZIP = (b"PK\x03\x04", b"PK\x05\x06")
BZIP2, XZ, ZSTD = b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd"  # first bytes of the containers
ZSTD_SKIPPABLE = [bytes([0x50 + number]) + b"\x2a\x4d\x18" for number in range(16)]
"""First bytes of the frames that zstd skips; pzstd begins a file with one."""

MAX_IN_MEMORY = 16 << 20
"""Maximum bytes of a zip from standard input that are kept in memory; a larger zip is copied to a
file. The whole zip is needed, because its directory is at its end."""

MAX_COPY = 4 << 30
"""Maximum bytes of decompressed content that are copied to a file, if a format needs a file."""

MAX_DIRECTORY = 1 << 20
"""Maximum bytes of a zip's directory. zipfile parses the whole directory when it opens the zip, and
needs ten times the directory's size in memory: 475 MB for a directory of 47 MB. The directory of a
zip with one file has a few hundred bytes."""


class Source:
    """The decompressed bytes of a trace."""

    def __init__(self, name: str, raw: io.BufferedReader) -> None:
        """Decompress `raw` according to its first bytes; raise TraceError if that fails."""
        self.name = name
        self.truncated = False
        """Whether the container ended in the middle of its content."""
        self._raw = raw
        self._head = b""
        self._length = _length_of(raw)
        with contextlib.ExitStack() as opened, self._as_trace_errors():
            opened.enter_context(raw)
            self._stream = self._decompressed(opened)
            # Some editors put a byte order mark before a text. No format begins with one.
            if self.head(len(BOM_UTF8)) == BOM_UTF8:
                self._head = b""
            self._opened = opened.pop_all()  # `with` leaves the files open; close() closes them

    def head(self, size: int) -> bytes:
        """Return the next bytes, at most `size`, without consuming them."""
        ahead = bytearray(max(size - len(self._head), 0))
        self._head += ahead[: self._fill(memoryview(ahead))]
        return self._head[:size]

    def read_into(self, buffer: memoryview) -> int:
        """Read the next bytes into `buffer` and return their number.

        The number is less than the length of the buffer only at the end of the source.
        """
        peeked = min(len(self._head), len(buffer))
        buffer[:peeked] = self._head[:peeked]
        self._head = self._head[peeked:]
        return peeked + self._fill(buffer[peeked:])

    def _fill(self, buffer: memoryview) -> int:
        """Fill `buffer` from the container; return the number of bytes."""
        filled = 0
        with self._as_trace_errors():
            while filled < len(buffer):
                read = self._read(buffer[filled:])
                if not read:
                    break
                filled += read
        return filled

    def as_file(self) -> IO[bytes]:
        """Return the content as a regular file: the file itself if it is plain, else a copy.

        Call this method before reading anything. The copy has no name and disappears when closed.
        """
        with self._as_trace_errors():
            if self._stream is self._raw and self._length:
                return os.fdopen(os.dup(self._raw.fileno()), "rb")
            with contextlib.ExitStack() as on_error, _copying(self.name):
                copy = on_error.enter_context(tempfile.TemporaryFile())
                self._copy_to(copy)
                on_error.pop_all()
            return copy

    def _copy_to(self, copy: IO[bytes]) -> None:
        """Write all bytes to `copy` and rewind it."""
        block = memoryview(bytearray(1 << 20))
        while length := self.read_into(block):
            copy.write(block[:length])
            if copy.tell() > MAX_COPY:
                raise TraceError(
                    f"{self.name}: this format can be read only from a plain file, and the "
                    f"decompressed copy is larger than {MAX_COPY >> 30} GiB; decompress the file "
                    "first"
                )
        copy.seek(0)

    def share_read(self) -> float:
        """Return the fraction of the file read so far, 0 to 1.

        The fraction is 0 if the length of the file is not known, or if only `head` has read from
        it.
        """
        if not self._length or self._head:
            return 0.0
        try:
            return min(self._raw.tell() / self._length, 1.0)
        except (OSError, ValueError):  # the file is closed
            return 1.0

    def emptiness(self) -> str:
        """Return the reason why nothing could be read from this source."""
        if self.truncated:
            return "the compressed file ends early, before the first call"
        return "the trace is empty"

    def close(self) -> None:
        """Close the file and everything opened in it."""
        self._opened.close()

    def _read(self, buffer: memoryview) -> int:
        """Read some bytes into the start of `buffer`; return their number, 0 at the end.

        Sets `truncated` if the container ends early.
        """
        try:
            # At the end of a cut-off file, read1 returns the bytes before the cut, which readinto
            # loses.
            data = self._stream.read1(len(buffer))
        except EOFError:
            self.truncated = True
            return 0
        buffer[: len(data)] = data
        return len(data)

    def _decompressed(self, opened: contextlib.ExitStack) -> io.BufferedIOBase:
        """Return the stream inside the container."""
        head = self._raw.peek(6)[:6]
        if head.startswith(GZIP):
            return opened.enter_context(gzip.GzipFile(fileobj=self._raw))
        if head.startswith(ZIP):
            return self._zip_member(opened)
        for magic, begin in _FRAMES.items():
            if head.startswith(magic):
                return decompress.Unpacked(self._raw, begin)
        return self._raw

    def _zip_member(self, opened: contextlib.ExitStack) -> io.BufferedIOBase:
        """Return the only file in a zip."""
        file: IO[bytes] = self._raw
        if not self._raw.seekable():
            spool = tempfile.SpooledTemporaryFile(MAX_IN_MEMORY)  # noqa: SIM115 - opened closes it
            file = opened.enter_context(spool)
            for block in iter(lambda: self._raw.read(1 << 20), b""):
                with _copying(self.name):
                    file.write(block)
                    file.flush()  # a full disk must fail here, where `_copying` explains it
        if not zipfile.is_zipfile(file):
            raise TraceError(
                f"{self.name}: the zip is damaged or cut off: it has no directory at its end"
            )
        limited = _LimitedReads(file)
        archive = opened.enter_context(zipfile.ZipFile(cast("IO[bytes]", limited)))
        limited.limit = sys.maxsize  # the directory, which the limit is for, has been read
        # is_dir() of Python 3.11 raises IndexError for a member without a name.
        members = [entry for entry in archive.infolist() if not entry.filename.endswith("/")]
        if len(members) != 1:
            names = ", ".join(shortened(member.filename) for member in members[:5]) or "none"
            raise TraceError(
                f"{self.name}: a zip must contain one trace, but this one contains {len(members)} "
                f"files ({names}); extract the one to read"
            )
        if members[0].compress_type == zipfile.ZIP_LZMA:
            self._reject_large_dictionary(file, members[0].header_offset)
        member = opened.enter_context(archive.open(members[0]))
        return cast("io.BufferedIOBase", member)

    def _reject_large_dictionary(self, file: IO[bytes], header: int) -> None:
        """Raise TraceError if a zip member's LZMA dictionary exceeds XZ_MEMORY, as for xz files.

        The dictionary's size is preceded by the local header (30 bytes, a name and an extra field),
        the LZMA version and the length of the LZMA properties (2 bytes each), and the first
        property (1 byte).
        """
        file.seek(header + 26)
        name, extra = struct.unpack("<HH", file.read(4).ljust(4, b"\0"))
        file.seek(header + 30 + name + extra + 5)
        needed = int.from_bytes(file.read(4), "little")
        if needed > decompress.XZ_MEMORY:
            raise TraceError(
                f"{self.name}: decompressing it takes {needed >> 20:,} MiB of memory, more than "
                f"the limit of {decompress.XZ_MEMORY >> 20} MiB; compress it with a smaller "
                "dictionary"
            )

    @contextlib.contextmanager
    def _as_trace_errors(self) -> Iterator[None]:
        """Turn errors of the file system and errors of damaged containers into a TraceError."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise TraceError(f"{self.name}: cannot be read: {reason}") from error
        except _DAMAGE as error:
            raise TraceError(
                f"{self.name}: the compressed file is damaged or not supported: {error}"
            ) from error


@contextlib.contextmanager
def _copying(name: str) -> Iterator[None]:
    """While a temporary copy is written, turn an OSError into EnvironmentLacks."""
    try:
        yield
    except OSError as error:
        raise EnvironmentLacks(
            f"{name}: cannot write the temporary copy that is needed to read it: "
            f"{error.strerror or error}; set TMPDIR to a directory with more space"
        ) from error


class _LimitedReads:
    """A zip file. Rejects reads of more than `limit` bytes, so that no large directory is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self.limit = MAX_DIRECTORY
        self._file = file

    def read(self, size: int = -1) -> bytes:
        """Return the next `size` bytes; raise BadZipFile if `size` exceeds the limit."""
        if size > self.limit:
            raise zipfile.BadZipFile(f"its directory of {size:,} bytes is too large for one trace")
        return self._file.read(size)


_FRAMES = {
    BZIP2: decompress.bzip2_frame,
    XZ: decompress.xz_frame,
    **dict.fromkeys([ZSTD, *ZSTD_SKIPPABLE], decompress.zstd_frame),
}
"""Decompressors by the first bytes of a container."""

_DAMAGE = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, ValueError, IndexError)
"""Errors raised for damaged or unsupported containers. zipfile raises RuntimeError for an encrypted
member, and its subclass NotImplementedError for an unsupported compression. The zipfile of Python
3.11 raises IndexError for an encrypted member without a name."""


def open_source(path: str) -> Source:
    """Open a file, or standard input if `path` is '-'; raise TraceError if this fails."""
    if path == "-":
        if sys.stdin is None:
            raise TraceError("standard input is closed; expected a recorded trace")
        return Source("standard input", open(sys.stdin.fileno(), "rb", closefd=False))
    try:
        return Source(path, Path(path).open("rb"))
    except IsADirectoryError as error:
        raise TraceError(
            f"{path}: is a directory; a trace directory of LTTng is read through babeltrace2: "
            f"babeltrace2 {shell_argument(path)} | allocsim replay -"
        ) from error
    except OSError as error:
        reason = error.strerror or str(error)
        raise TraceError(
            f"{path}: {reason}; expected a recorded trace, or - for standard input"
        ) from error


def _length_of(raw: io.BufferedReader) -> int:
    """Return the size of the file on disk; 0 for a pipe."""
    try:
        return raw.seek(0, io.SEEK_END) if raw.seekable() else 0
    finally:
        if raw.seekable():
            raw.seek(0)
