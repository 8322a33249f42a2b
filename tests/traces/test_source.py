"""Containers: the same events in all of them, and a clear error for damaged ones."""

import bz2
import gc
import gzip
import io
import lzma
import os
import random
import resource
import subprocess
import sys
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from allocsim.errors import AllocsimError, EnvironmentLacks, TraceError
from allocsim.traces import decompress, open_trace
from allocsim.traces.decompress import zstd_module
from allocsim.traces.source import Source, open_source
from tests.cli.running import without_notices
from tests.conftest import SCALE
from tests.fuzz import cases
from tests.traces.recordings import read, read_plainly


def recording(lines: int) -> bytes:
    """Many lines of random calls, which compress badly."""
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


CONTAINERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda content: content,
    "gz": gzip.compress,
    "gz, stored": lambda content: gzip.compress(content, 0),
    "gz of two parts": lambda content: gzip.compress(content[:777]) + gzip.compress(content[777:]),
    "zst": zstd,
    "zst of two parts": lambda content: zstd(content[:777]) + zstd(content[777:]),
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
    "zip from a pipe": packed_unseekable,
}

containers = pytest.mark.parametrize("pack", CONTAINERS.values(), ids=CONTAINERS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file without a suffix."""
    return tmp_path / "recording"


@pytest.fixture(autouse=True)
def no_file_left_open() -> Iterator[None]:
    """Collect garbage, so that a file left open fails the test that did it."""
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
        with pytest.raises(TraceError, match="empty"):
            read(path)
        return
    events, trace = read(path)
    assert trace.notes == ["the compressed file ends early; its content up to there was read"]
    assert len(events) == len(read_plainly(whole[: whole.rindex(b"\n")]).events)


def test_gz_without_its_checksum_is_read_completely(path: Path) -> None:
    path.write_bytes(gzip.compress(SHORT)[:-8])
    events, trace = read(path)
    assert len(events) == 100
    assert trace.notes == ["the compressed file ends early; its content up to there was read"]


def test_cut_line_of_a_truncated_gz_is_dropped(path: Path) -> None:
    path.write_bytes(gzip.compress(SHORT[:-5])[:-8])
    events, _ = read(path)
    assert len(events) == 99


def test_gz_cut_inside_its_header_is_empty(path: Path) -> None:
    path.write_bytes(gzip.compress(SHORT)[:5])
    with pytest.raises(TraceError, match="the trace is empty"):
        read(path)


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
    "zip, cut": (zipped(("a", SHORT))[:-30], "damaged"),
    "zip, head only": (b"PK\x03\x04", "damaged"),
    "zip, wrong data": (wrong(zipped(("a", SHORT)), 300), "damaged"),
    "zip, wrong bzip2": (wrong(zipped(("a", SHORT), method=zipfile.ZIP_BZIP2), 300), "a"),
    "zip, wrong lzma": (wrong(zipped(("a", SHORT), method=zipfile.ZIP_LZMA), 300), "damaged"),
    "zip, encrypted": (encrypted(), "encrypted"),
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
    with pytest.raises(TraceError, match=r"a directory of 1,097,250 bytes is too large for one"):
        read(path)


def test_directory_is_an_error_that_points_to_babeltrace2(tmp_path: Path) -> None:
    with pytest.raises(
        TraceError, match=rf"is a directory; .*: babeltrace2 {tmp_path} \| allocsim"
    ):
        open_trace(str(tmp_path))


def test_missing_file_is_an_error(path: Path) -> None:
    with pytest.raises(TraceError, match=f"{path}: No such file"):
        open_trace(str(path))


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_file_without_permission_is_an_error(path: Path) -> None:
    path.write_bytes(SHORT)
    path.chmod(0)
    with pytest.raises(TraceError, match="Permission denied"):
        open_trace(str(path))


def test_name_that_is_too_long_is_an_error() -> None:
    with pytest.raises(TraceError, match="File name too long"):
        open_trace("a" * 300)


@pytest.mark.parametrize("name", CONTAINERS)
def test_share_read_goes_from_0_to_1(path: Path, name: str) -> None:
    path.write_bytes(CONTAINERS[name](SHORT))
    source = open_source(str(path))
    shares = [source.share_read()]
    buffer = bytearray(500)
    while source.read_into(memoryview(buffer)):
        shares.append(source.share_read())
    assert shares == sorted(shares)
    assert 0 <= shares[0] <= 1
    assert shares[-1] == 1.0 or name.startswith("zip")
    source.close()
    assert source.share_read() == 1.0


def test_head_stays_to_be_read(path: Path) -> None:
    path.write_bytes(gzip.compress(SHORT))
    source = open_source(str(path))
    assert source.head(10) == SHORT[:10]
    assert source.head(300) == SHORT[:300]
    assert source.head(20) == SHORT[:20]
    assert source.share_read() == 0.0
    buffer = bytearray(200)
    assert source.read_into(memoryview(buffer)) == 200
    assert buffer == SHORT[:200]
    assert source.head(1 << 20) == SHORT[200:]
    rest = bytearray(len(SHORT))
    assert source.read_into(memoryview(rest)) == len(SHORT) - 200
    assert rest[: len(SHORT) - 200] == SHORT[200:]
    source.close()


def test_share_of_a_plain_file_is_what_was_read(path: Path) -> None:
    path.write_bytes(bytes(100_000))
    source = open_source(str(path))
    source.read_into(memoryview(bytearray(25_000)))
    assert source.share_read() == pytest.approx(0.25, abs=0.1)
    source.close()


def test_reading_fills_the_buffer_until_the_end(path: Path) -> None:
    path.write_bytes(gzip.compress(SHORT))
    source = open_source(str(path))
    buffer = bytearray(len(SHORT) - 10)
    assert source.read_into(memoryview(buffer)) == len(SHORT) - 10
    assert source.read_into(memoryview(buffer)) == 10
    assert source.read_into(memoryview(buffer)) == 0
    source.close()


def test_plain_file_is_its_own_file(path: Path) -> None:
    path.write_bytes(SHORT)
    with closing(open_source(str(path))) as source, source.as_file() as file:
        assert os.fstat(file.fileno()).st_ino == path.stat().st_ino
        assert os.pread(file.fileno(), len(SHORT) + 1, 0) == SHORT


def test_compressed_file_is_copied_to_an_unnamed_one(path: Path) -> None:
    path.write_bytes(gzip.compress(SHORT))
    with closing(open_source(str(path))) as source:
        source.head(10)
        with source.as_file() as file:
            assert (file.tell(), os.fstat(file.fileno()).st_nlink) == (0, 0)
            assert file.read() == SHORT


def test_compressed_file_that_is_too_large_to_copy_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("allocsim.traces.source.MAX_COPY", 1 << 20)
    path.write_bytes(gzip.compress(bytes(3 << 20)))
    with (
        closing(open_source(str(path))) as source,
        pytest.raises(TraceError, match=r"read from a plain file; decompress it"),
    ):
        source.as_file()


def test_copy_for_which_there_is_no_room_is_what_the_machine_lacks(path: Path) -> None:
    path.write_bytes(gzip.compress(bytes(1 << 20)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    source = open_source(str(path))
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(EnvironmentLacks, match=r"no space for the copy .*: File too large"):
            source.as_file()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        source.close()


def test_damaged_containers_give_events_or_a_trace_error(path: Path) -> None:
    """Changed bytes or a cut give no error but an AllocsimError."""
    rng = random.Random(2008)
    originals = [CONTAINERS[name](SHORT) for name in CONTAINERS if name != "plain"]
    unexpected = []
    for case in range(cases(compiled=600, pure=40)):
        content = bytearray(rng.choice(originals))
        for _ in range(rng.choice((0, 1, 1, 2, 5))):
            zone = rng.choice((len(content), 120))
            content[-1 - rng.randrange(min(zone, len(content)))] = rng.randrange(256)
        if rng.random() < 0.2:
            del content[rng.randrange(len(content)) :]
        path.write_bytes(content)
        try:
            read(path)
        except AllocsimError:
            pass
        except Exception as error:
            unexpected.append(f"case {case} of seed 2008: {error!r}")
    assert unexpected == []
