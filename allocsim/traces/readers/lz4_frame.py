"""Completeness of an LZ4 frame, by the frame format of LZ4; nothing is decompressed.

memray reads a compressed capture that is cut off without an error, so its end is checked here.
"""

from __future__ import annotations

import os

MAGIC = b"\x04\x22\x4d\x18"

MAX_BLOCKS = 1 << 20
"""Number of blocks after which a frame is taken for complete. memray's blocks have 64 KiB."""

_HAS_DICTIONARY, _HAS_CHECKSUM, _HAS_LENGTH, _HAS_BLOCK_CHECKSUMS = 1, 4, 8, 16
"""Bits of the byte after the magic number."""

_UNCOMPRESSED = 1 << 31


def is_complete(file: int) -> bool:
    """Return whether the LZ4 frame in the file with this descriptor has its end mark."""
    start = os.pread(file, 6, 0)
    flags, length = start[4] if len(start) > 4 else 0, os.fstat(file).st_size
    position = 7 + 8 * bool(flags & _HAS_LENGTH) + 4 * bool(flags & _HAS_DICTIONARY)
    for _ in range(MAX_BLOCKS):
        size = os.pread(file, 4, position)
        if len(size) < 4:
            return False
        position += 4
        if not any(size):
            return position + 4 * bool(flags & _HAS_CHECKSUM) <= length
        position += int.from_bytes(size, "little") & ~_UNCOMPRESSED
        position += 4 * bool(flags & _HAS_BLOCK_CHECKSUMS)
    return True
