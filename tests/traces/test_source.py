"""`open_source`: unreadable files, the fraction read so far, copies to a file, random damage."""

import gc
import gzip
import os
import random
import resource
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from allocsim.errors import AllocsimError, EnvironmentLacks, TraceError
from allocsim.traces import open_trace
from allocsim.traces.source import open_source
from tests.fuzz import cases
from tests.traces.containers import CONTAINERS, SHORT
from tests.traces.recordings import read


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file without a suffix."""
    return tmp_path / "recording"


@pytest.fixture(autouse=True)
def no_file_left_open() -> Iterator[None]:
    """Collect garbage, so that a file that stays open fails the test that opened it."""
    yield
    gc.collect()


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
        pytest.raises(TraceError, match=r"read only from a plain file, and the decompressed"),
    ):
        source.as_file()


def test_copy_for_which_there_is_no_room_is_what_the_machine_lacks(path: Path) -> None:
    path.write_bytes(gzip.compress(bytes(1 << 20)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    source = open_source(str(path))
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, hard))
    try:
        with pytest.raises(
            EnvironmentLacks, match=r"cannot write the temporary copy .*: File too large"
        ):
            source.as_file()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        source.close()


def test_damaged_containers_give_events_or_a_trace_error(path: Path) -> None:
    """If bytes are changed or cut off, the only possible error is an AllocsimError."""
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
