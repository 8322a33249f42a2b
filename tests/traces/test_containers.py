"""Containers: the same events in all of them, and a clear error for damaged ones."""

import bz2
import gc
import gzip
import lzma
import os
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from allocsim.errors import TraceError
from allocsim.traces import decompress, losses
from allocsim.traces.decompress import zstd_module
from allocsim.traces.source import Source, open_source
from tests.cli.running import without_notices
from tests.conftest import SCALE
from tests.traces.containers import (
    CONTAINERS,
    SHORT,
    SKIPPABLE,
    checked_zstd,
    containers,
    recording,
    zipped,
    zstd,
)
from tests.traces.recordings import read, read_plainly


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file without a suffix."""
    return tmp_path / "recording"


@pytest.fixture(autouse=True)
def no_file_left_open() -> Iterator[None]:
    """Collect garbage, so that a file that stays open fails the test that opened it."""
    yield
    gc.collect()


@containers
def test_events_are_the_same_whatever_the_container(
    path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path.write_bytes(pack(SHORT))
    events, trace = read(path)
    path.write_bytes(SHORT)
    plain, _ = read(path)
    assert events == plain
    assert (len(events), trace.notes) == (100, [])


READ_STDIN = """
import sys
from tests.traces.recordings import read
events, trace = read("-")
print(len(events), sum(event[1] for event in events), trace.notes, trace.progress())
"""


@pytest.mark.parametrize("name", ["plain", "gz", "zst", "zip"])
def test_container_is_read_from_a_pipe(name: str) -> None:
    child = subprocess.run(
        [sys.executable, "-W", "error", "-c", READ_STDIN],
        input=CONTAINERS[name](SHORT),
        capture_output=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    total = sum(event[1] for event in read_plainly(SHORT).events)
    assert without_notices(child.stderr.decode()) == ""
    assert child.stdout.decode() == f"100 {total} [] 0.0\n"


def test_large_zip_through_a_pipe_is_kept_in_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    content = zipped(("trace.txt", SHORT))
    monkeypatch.setattr("allocsim.traces.source.MAX_IN_MEMORY", 100)
    reading, writing = os.pipe()
    with os.fdopen(writing, "wb") as pipe:
        pipe.write(content)
    source = Source("pipe", os.fdopen(reading, "rb"))
    buffer = bytearray(len(SHORT) + 1)
    assert source.read_into(memoryview(buffer)) == len(SHORT)
    assert buffer[:-1] == SHORT
    source.close()


UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": lambda packed: zlib.decompressobj(31).decompress(packed),
    "zst": lambda packed: zstd_module().ZstdDecompressor().decompress(packed),
    "xz": lambda packed: lzma.LZMADecompressor().decompress(packed),
    "bz2": lambda packed: bz2.BZ2Decompressor().decompress(packed),
}


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("name", UNPACK)
def test_truncated_container_is_read_as_far_as_it_goes(path: Path, name: str, share: float) -> None:
    content = recording(300 * SCALE)
    packed = CONTAINERS[name](content)
    cut = packed[: int(len(packed) * share)]
    whole = UNPACK[name](cut)
    path.write_bytes(cut)
    if not whole.count(b"\n"):
        with pytest.raises(
            TraceError, match="the compressed file ends early, before the first call"
        ):
            read(path)
        return
    events, trace = read(path)
    assert trace.losses == [losses.TRUNCATED]
    assert len(events) == len(read_plainly(whole[: whole.rindex(b"\n")]).events)


def test_gz_without_its_checksum_is_read_completely(path: Path) -> None:
    path.write_bytes(gzip.compress(SHORT)[:-8])
    events, trace = read(path)
    assert len(events) == 100
    assert trace.losses == [losses.TRUNCATED]


def test_cut_line_of_a_truncated_gz_is_dropped(path: Path) -> None:
    path.write_bytes(gzip.compress(SHORT[:-5])[:-8])
    events, _ = read(path)
    assert len(events) == 99


@pytest.mark.parametrize("form", [None, "aosp", "ltrace", "glibc-wl", "malloc-bench"])
@pytest.mark.parametrize("name", UNPACK)
def test_container_cut_before_its_first_byte_of_content_is_not_called_empty(
    path: Path, name: str, form: str | None
) -> None:
    path.write_bytes(CONTAINERS[name](SHORT)[:8])
    with pytest.raises(TraceError, match="the compressed file ends early, before the first call"):
        read(path, form)


def wrong(content: bytes, place: int) -> bytes:
    """The content with one byte changed."""
    changed = bytearray(content)
    changed[place] ^= 0xFF
    return bytes(changed)


def encrypted() -> bytes:
    """A zip whose member is marked as encrypted."""
    content = bytearray(zipped(("trace.txt", SHORT)))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def unsupported() -> bytes:
    """A zip whose member has an unknown compression method."""
    content = bytearray(zipped(("trace.txt", SHORT)))
    content[8] = 97
    content[content.index(b"PK\x01\x02") + 10] = 97
    return bytes(content)


def misnamed() -> bytes:
    """A zip whose member has an invalid UTF-8 name."""
    return zipped(("tré.txt", SHORT)).replace("é".encode(), b"\xff\xff")


UNUSABLE = {
    "gz, wrong data": (wrong(gzip.compress(SHORT), 300), "damaged"),
    "gz, wrong checksum": (wrong(gzip.compress(SHORT), -8), "CRC"),
    "gz, wrong method": (wrong(gzip.compress(SHORT), 2), "method"),
    "gz, rubbish after": (gzip.compress(SHORT) + b"rubbish", "cannot be read"),
    "zst, wrong checksum": (wrong(checked_zstd(SHORT), -1), "damaged"),
    "zst, rubbish after": (zstd(SHORT) + b"rubbish", "damaged"),
    "xz, wrong data": (wrong(lzma.compress(SHORT), 300), "damaged"),
    "xz, wrong checksum": (wrong(lzma.compress(SHORT), -40), "damaged"),
    "xz, rubbish after": (lzma.compress(SHORT) + b"much rubbish after", "damaged"),
    "bz2, wrong data": (wrong(bz2.compress(SHORT), 300), "damaged"),
    "bz2, rubbish after": (bz2.compress(SHORT) + b"rubbish", "damaged"),
    "zip, two files": (zipped(("a", SHORT), ("b", SHORT)), r"2 files \(a, b\); extract"),
    "zip, no file": (zipped(), r"0 files \(none\)"),
    "zip, directories only": (zipped(("d/", b"")), r"0 files \(none\)"),
    "zip, cut": (zipped(("a", SHORT))[:-30], "cut off: it has no directory at its end"),
    "zip, head only": (b"PK\x03\x04", "cut off: it has no directory at its end"),
    "zst, only a skippable frame": (SKIPPABLE, "the trace is empty"),
    "zst, cut in a skippable frame": (SKIPPABLE[:-2], "the compressed file ends early"),
    "zip, wrong data": (wrong(zipped(("a", SHORT)), 300), "damaged"),
    "zip, wrong bzip2": (wrong(zipped(("a", SHORT), method=zipfile.ZIP_BZIP2), 300), "a"),
    "zip, wrong lzma": (wrong(zipped(("a", SHORT), method=zipfile.ZIP_LZMA), 300), "damaged"),
    "zip, encrypted": (encrypted(), "encrypted"),
    "zip, encrypted, without a name": (encrypted().replace(b"trace", b"\0race"), "not supported"),
    "zip, unknown method": (unsupported(), "not supported"),
    "zip, name not utf-8": (misnamed(), "damaged"),
    "zip in a zip": (zipped(("a.zip", zipped(("a", SHORT)))), "unknown format"),
    "gz in a gz": (gzip.compress(gzip.compress(SHORT)), "unknown format"),
    "empty": (b"", "empty"),
    "empty gz": (gzip.compress(b""), "empty"),
    "empty in a zip": (zipped(("a", b"")), "empty"),
}


@pytest.mark.parametrize(("content", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_unusable_container_is_an_error_that_names_it(
    path: Path, content: bytes, reason: str
) -> None:
    path.write_bytes(content)
    with pytest.raises(TraceError, match=reason) as raised:
        read(path)
    assert str(raised.value).startswith(str(path))


BOMB = 32 << 20


@pytest.mark.parametrize("name", ["gz", "zst", "xz", "bz2", "zip"])
def test_container_that_unpacks_to_a_thousand_times_its_size_costs_no_memory(
    path: Path, name: str
) -> None:
    path.write_bytes(CONTAINERS[name](bytes(BOMB)))
    assert path.stat().st_size < BOMB / 500
    source, buffer, total = open_source(str(path)), bytearray(1 << 20), 0
    tracemalloc.start()
    while read_now := source.read_into(memoryview(buffer)):
        total += read_now
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    source.close()
    assert total == BOMB
    assert peak < BOMB / 2


def test_zst_with_a_window_of_a_gigabyte_is_an_error(path: Path) -> None:
    compressor = zstd_module().ZstdCompressor()
    packed = bytearray(compressor.compress(SHORT) + compressor.flush())
    packed[5] = (30 - 10) << 3  # the window descriptor
    path.write_bytes(packed)
    with pytest.raises(TraceError, match=r"damaged or not supported: .*memory"):
        read(path)


def test_xz_over_the_memory_limit_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decompress, "XZ_MEMORY", 1 << 20)
    path.write_bytes(lzma.compress(SHORT))
    with pytest.raises(TraceError, match=r"damaged or not supported: .*limit"):
        read(path)


def test_zip_over_the_memory_limit_is_an_error(path: Path) -> None:
    packed = bytearray(zipped(("trace.txt", SHORT), method=zipfile.ZIP_LZMA))
    properties = packed.index(b"trace.txt") + len("trace.txt") + 4
    packed[properties + 1 : properties + 5] = (1 << 30).to_bytes(4, "little")
    path.write_bytes(packed)
    with pytest.raises(TraceError, match="1,024 MiB of memory, more than the limit of 256 MiB"):
        read(path)


def test_zip_of_many_files_names_five(path: Path) -> None:
    path.write_bytes(zipped(*((f"file{i}", b"") for i in range(9))))
    with pytest.raises(TraceError, match=r"9 files \(file0, file1, file2, file3, file4\)"):
        read(path)


def test_zip_with_a_large_directory_is_an_error_before_it_is_read(path: Path) -> None:
    packed = zipped(*((f"{i:0999}", b"") for i in range(1050)))
    path.write_bytes(packed)
    with pytest.raises(TraceError, match=r"its directory of 1,097,250 bytes is too large for one"):
        read(path)
