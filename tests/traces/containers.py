"""Containers for tests: the same text in each supported compression."""

import bz2
import gzip
import io
import lzma
import random
import zipfile
from collections.abc import Callable

import pytest

from allocsim.traces.decompress import zstd_module


def recording(lines: int) -> bytes:
    """Many lines of random calls, which do not compress well."""
    rng = random.Random(1)
    return b"".join(
        b"1: malloc 0x%x %d\n" % (rng.randrange(16, 1 << 44), rng.randrange(1 << 30))
        for _ in range(lines)
    )


SHORT = recording(100)


def zipped(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip with these members."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return out.getvalue()


def packed_unseekable(content: bytes) -> bytes:
    """A zip as written to a pipe, with the lengths after the data."""
    out = io.BytesIO()
    out.seekable = lambda: False  # type: ignore[method-assign]
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("trace.txt", content)
    return out.getvalue()


def zstd(content: bytes) -> bytes:
    """A .zst of one frame."""
    return bytes(zstd_module().compress(content))


def checked_zstd(content: bytes) -> bytes:
    """A .zst with a checksum."""
    module = zstd_module()
    checksum = {module.CompressionParameter.checksum_flag: 1}
    return bytes(module.compress(content, options=checksum))


SKIPPABLE = b"\x5f\x2a\x4d\x18\x05\0\0\0hello"
"""A frame that zstd skips."""

CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda content: content,
    "gz": gzip.compress,
    "gz, stored": lambda content: gzip.compress(content, 0),
    "gz of two parts": lambda content: gzip.compress(content[:777]) + gzip.compress(content[777:]),
    "zst": zstd,
    "zst of two parts": lambda content: zstd(content[:777]) + zstd(content[777:]),
    "zst after a skippable frame": lambda content: SKIPPABLE + zstd(content),
    "zst with skippable frames": lambda content: (
        zstd(content[:777]) + SKIPPABLE + zstd(content[777:]) + SKIPPABLE
    ),
    "text with a byte order mark": lambda content: b"\xef\xbb\xbf" + content,
    "gz with a byte order mark": lambda content: gzip.compress(b"\xef\xbb\xbf" + content),
    "xz": lzma.compress,
    "xz of two parts": lambda content: lzma.compress(content[:777]) + lzma.compress(content[777:]),
    "xz, padded": lambda content: lzma.compress(content) + bytes(8),
    "bz2": bz2.compress,
    "bz2 of two parts": lambda content: bz2.compress(content[:777]) + bz2.compress(content[777:]),
    "zip": lambda content: zipped(("trace.txt", content)),
    "zip, stored": lambda content: zipped(("trace.txt", content), method=zipfile.ZIP_STORED),
    "zip, bzip2": lambda content: zipped(("trace.txt", content), method=zipfile.ZIP_BZIP2),
    "zip, lzma": lambda content: zipped(("trace.txt", content), method=zipfile.ZIP_LZMA),
    "zip with a directory": lambda content: zipped(("d/", b""), ("d/trace.txt", content)),
    "zip without a name": lambda content: zipped(("trace.txt", content)).replace(
        b"trace.txt", b"\0race.txt"
    ),
    "zip from a pipe": packed_unseekable,
}

containers = pytest.mark.parametrize("pack", CONTAINERS.values(), ids=CONTAINERS)
