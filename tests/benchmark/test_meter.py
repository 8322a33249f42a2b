"""Reading memory and the clock from inside a kernel."""

import mmap
import time
from pathlib import Path

import pytest

from allocsim.benchmark import meter as module
from allocsim.benchmark.meter import Meter, now, open_meter, resident, status_bytes
from allocsim.core.memory import OS_PAGE

PAGES = 500


@pytest.fixture(params=["default", "rollup"])
def meter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Meter:
    """The meter that open_meter chooses, then the slow one."""
    if request.param == "rollup":
        monkeypatch.setattr(module, "_is_exact", lambda _: False)
    return open_meter()


def test_touched_pages_are_counted_and_reserved_ones_are_not(meter: Meter) -> None:
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    before = resident(meter)
    pages = mmap.mmap(-1, PAGES * OS_PAGE, flags=flags)
    pages.madvise(mmap.MADV_NOHUGEPAGE)
    reserved = resident(meter)
    for index in range(PAGES):
        pages[index * OS_PAGE] = 1
    touched = resident(meter)
    pages.close()
    assert abs(reserved - before) < 50 * OS_PAGE
    assert abs(touched - reserved - PAGES * OS_PAGE) < 50 * OS_PAGE
    assert touched - resident(meter) > (PAGES - 50) * OS_PAGE


def test_both_files_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    fast = open_meter()
    if not fast.settings[0].fast:
        pytest.skip("statm is not exact on this kernel")
    monkeypatch.setattr(module, "_is_exact", lambda _: False)
    slow = open_meter()
    assert not slow.settings[0].fast
    assert abs(resident(fast) - resident(slow)) < 64 * OS_PAGE


def test_clock_is_the_cpu_time_of_the_process(meter: Meter) -> None:
    before = time.process_time_ns()
    assert before <= now(meter) <= time.process_time_ns()


def test_status_has_the_resident_memory() -> None:
    assert status_bytes("VmRSS") > 10 << 20
    assert status_bytes("Nothing") == 0


def test_status_of_a_process_whose_name_is_no_utf_8_is_read() -> None:
    name = Path("/proc/self/comm")
    before = name.read_bytes()
    try:
        name.write_bytes(b"\xff\x1cVmRSS: 5")
        assert status_bytes("VmRSS") > 1 << 20
    finally:
        name.write_bytes(before.rstrip(b"\n"))
