"""Unpacking .zst, .xz and .bz2: a stream of bytes over a decompressor, in bounded memory.

Below `container`, which tells by the first bytes what to unpack. Its one rule: a decompressor is
asked for as much as the reader wants and no more, and may hold at most WINDOW bytes of history, so
neither a bomb nor a header that asks for gigabytes costs memory.
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
"""log2 of the largest zstd window that is unpacked: what `zstd -d` takes without being asked."""

XZ_MEMORY = 256 << 20
"""Bytes that xz may use: `xz -9` needs a quarter of it."""

PACKED = 1 << 16
"""Packed bytes read at a time."""


class Unpacked(io.BufferedIOBase):
    """What is packed in `raw`, part after part; EOFError where the last part is cut."""

    def __init__(self, raw: io.BufferedReader, begin: Callable[[], Any]) -> None:
        self._raw = raw
        self._begin = begin
        self._part: Any = begin()
        self._waiting = b""
        """Packed bytes behind the part that has ended."""

    def readable(self) -> bool:
        """True."""
        return True

    def read1(self, size: int = -1) -> bytes:
        """Some bytes, at most `size`; none only at the end."""
        while True:
            if self._part.eof and not self._next_part():
                return b""
            packed = b""
            if self._part.needs_input:
                packed = self._waiting or self._raw.read1(PACKED)
                self._waiting = b""
                if not packed:
                    raise EOFError
            if data := self._decompressed(packed, size):
                return data

    def _decompressed(self, packed: bytes, size: int) -> bytes:
        """What the part makes of more packed bytes; ValueError whatever the library calls it."""
        try:
            return bytes(self._part.decompress(packed, size))
        except Exception as error:
            raise ValueError(str(error)) from error

    def _next_part(self) -> bool:
        """Begin the part behind the one that has ended; False if there is none."""
        rest = self._part.unused_data or self._raw.read1(PACKED)
        while rest and not (rest := rest.lstrip(b"\0")):  # xz pads with zeros
            rest = self._raw.read1(PACKED)
        if not rest:
            return False
        self._part, self._waiting = self._begin(), rest
        return True


def bzip2_part() -> bz2.BZ2Decompressor:
    """A decompressor for a part of a .bz2."""
    return bz2.BZ2Decompressor()


def xz_part() -> lzma.LZMADecompressor:
    """A decompressor for a part of an .xz."""
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY)


def zstd_part() -> Any:
    """A decompressor for a frame of a .zst."""
    zstd = zstd_module()
    return zstd.ZstdDecompressor(options={zstd.DecompressionParameter.window_log_max: WINDOW_LOG})


def zstd_module() -> Any:
    """Python's own module from 3.14 on, and the same one as a package before."""
    return importlib.import_module(
        "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    )
