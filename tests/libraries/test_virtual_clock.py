"""The virtual clock: its time changes only when it is set, and a library reads it."""

import ctypes
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from allocsim.libraries.load import load
from allocsim.libraries.virtual_clock import OF_DAY, SECOND, STEADY, VirtualClock

SOURCE = """
#include <stdlib.h>
#include <time.h>
void *my_malloc(size_t n) { return malloc(n); }
void *my_realloc(void *p, size_t n) { return realloc(p, n); }
void my_free(void *p) { free(p); }
long my_time(int clock) {
    struct timespec now = {0, 0};
    return clock_gettime(clock, &now) ? -1 : 1000000000L * now.tv_sec + now.tv_nsec;
}
"""


def timed_library(compiler: str, directory: Path) -> tuple[Callable[[int], int], VirtualClock]:
    """Compile a library and replace its clock; return its function my_time and the new clock."""
    path, clock = directory / "libtimed.so", VirtualClock()
    options = ["-shared", "-fPIC", "-o", str(path), "-x", "c", "-"]
    subprocess.run([compiler, *options], input=SOURCE.encode(), check=True)
    library = load(f"{path}:my_")
    my_time = library.handle.my_time
    my_time.restype = ctypes.c_long
    before = my_time(time.CLOCK_MONOTONIC)
    assert clock.replace_clock_of(library)
    assert my_time(time.CLOCK_MONOTONIC) == clock.word[0] >= before
    return my_time, clock


def test_library_reads_the_time_that_is_set(compiler: str, tmp_path: Path) -> None:
    my_time, clock = timed_library(compiler, tmp_path)
    epoch = my_time(time.CLOCK_REALTIME) - my_time(time.CLOCK_MONOTONIC)
    assert abs(epoch - (time.time_ns() - time.monotonic_ns())) < 3600 * SECOND
    for now in (0, 1, SECOND - 1, SECOND, 7 * SECOND + 123, 1 << 61):
        clock.word[0] = now
        assert [my_time(number) for number in STEADY] == [now] * len(STEADY)
        assert [my_time(number) for number in OF_DAY] == [now + epoch] * len(OF_DAY)


def test_other_clocks_are_the_machines(compiler: str, tmp_path: Path) -> None:
    my_time, clock = timed_library(compiler, tmp_path)
    clock.word[0] = 0
    before = time.process_time_ns()
    assert before <= my_time(time.CLOCK_PROCESS_CPUTIME_ID) <= time.process_time_ns()
    assert my_time(99) == -1


def test_library_without_a_clock_reads_none() -> None:
    assert not VirtualClock().replace_clock_of(load("glibc"))
