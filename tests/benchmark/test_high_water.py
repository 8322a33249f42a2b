"""The kernel's peak of resident memory includes peaks between two readings of the meter."""

import mmap
from pathlib import Path

import pytest

from allocsim.benchmark import high_water
from allocsim.benchmark.high_water import HighWater
from allocsim.benchmark.meter import open_meter, resident

SIZE = 32 << 20


def test_memory_that_is_gone_counts(tmp_path: Path) -> None:
    meter = open_meter()
    if not meter.settings[0].fast:
        pytest.skip("this kernel counts resident memory only roughly")
    before, high = resident(meter), HighWater()
    with mmap.mmap(-1, SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as pages:
        pages.write(b"x" * SIZE)
    assert resident(meter) - before < SIZE // 2
    assert high.anonymous_growth(meter) >= SIZE
    assert (high.growth() or 0) >= SIZE


def test_pages_of_files_do_not_count(tmp_path: Path) -> None:
    meter, file = open_meter(), tmp_path / "file"
    file.write_bytes(b"x" * SIZE)
    high = HighWater()
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as read:
        assert sum(read[:: mmap.PAGESIZE]) == SIZE // mmap.PAGESIZE * ord("x")
        assert (high.growth() or SIZE) >= SIZE // 2
        assert high.anonymous_growth(meter) < SIZE // 2


def test_peak_that_cannot_be_reset_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        """Fail as if the file could not be written."""
        raise PermissionError

    monkeypatch.setattr(high_water.Path, "write_text", refuse)
    high = HighWater()
    assert high.growth() is None
    assert high.anonymous_growth(open_meter()) == 0
