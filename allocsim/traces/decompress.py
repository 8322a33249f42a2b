"""Decompression of .zst, .xz and .bz2 as a stream of bytes, in bounded memory.

A decompressor returns no more bytes than the caller requests, so a decompression bomb costs no
extra memory. The size of a decompressor's window is limited too: a file whose header demands a
window of gigabytes is rejected.
"""

from __future__ import annotations

import bz2
import importlib
import io
import lzma
import sys
from collections.abc import Callable
from typing import Any

WINDOW_LOG = 27
"""log2 of the largest zstd window that is accepted. `zstd -d` without --long has the same limit."""

XZ_MEMORY = 256 << 20
"""Maximum bytes of memory for the xz decompressor: four times as many as it needs for the output of
`xz -9`."""

PACKED = 1 << 16
"""Maximum number of compressed bytes that are read at a time."""


class Unpacked(io.BufferedIOBase):
    """The decompressed content of `raw`.

    A file may contain several frames (called streams in bzip2 and xz), which are decompressed one
    after another. Reading raises EOFError if the last frame is cut off.
    """

    def __init__(self, raw: io.BufferedReader, begin: Callable[[], Any]) -> None:
        """Read from `raw`; `begin` creates a decompressor for one frame."""
        self._raw = raw
        self._begin = begin
        self._frame: Any = begin()
        self._pending = b""
        """Compressed bytes that were read past the end of the previous frame."""

    def readable(self) -> bool:
        """Return True."""
        return True

    def read1(self, size: int = -1) -> bytes:
        """Return between one and `size` bytes, or no bytes at the end."""
        while True:
            if self._frame.eof and not self._next_frame():
                return b""
            packed = b""
            if self._frame.needs_input:
                packed = self._pending or self._raw.read1(PACKED)
                self._pending = b""
                if not packed:
                    raise EOFError
            if data := self._decompressed(packed, size):
                return data

    def _decompressed(self, packed: bytes, size: int) -> bytes:
        """Decompress more bytes; turn every error of the decompressor into a ValueError."""
        try:
            return bytes(self._frame.decompress(packed, size))
        except Exception as error:
            raise ValueError(str(error)) from error

    def _next_frame(self) -> bool:
        """Begin the next frame; return False at the end of the data."""
        rest = self._frame.unused_data or self._raw.read1(PACKED)
        while rest and not (rest := rest.lstrip(b"\0")):  # zeros may pad an xz file
            rest = self._raw.read1(PACKED)
        if not rest:
            return False
        self._frame, self._pending = self._begin(), rest
        return True


def bzip2_frame() -> bz2.BZ2Decompressor:
    """Return a decompressor for one stream of a .bz2 file."""
    return bz2.BZ2Decompressor()


def xz_frame() -> lzma.LZMADecompressor:
    """Return a decompressor for one stream of an .xz file."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def zstd_frame() -> Any:
    """Return a decompressor for one frame of a .zst file."""
    zstd = zstd_module()
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG})


def zstd_module() -> Any:
    """Return compression.zstd, or its backport for Python before 3.14."""
    return importlib.import_module(
        "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    )
