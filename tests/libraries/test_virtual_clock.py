"""The virtual clock: it stands still, and the library that it is shown to reads it."""

import ctypes
import subprocess
from pathlib import Path

from allocsim.libraries.load import load
from allocsim.libraries.virtual_clock import SECOND, VirtualClock

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


def test_library_reads_the_time_that_is_set(compiler: str, tmp_path: Path) -> None:
    path, clock = tmp_path / "libtimed.so", VirtualClock()
    options = ["-shared", "-fPIC", "-o", str(path), "-x", "c", "-"]
    subprocess.run([compiler, *options], input=SOURCE.encode(), check=True)
    library = load(f"{path}:my_")
    my_time = library.handle.my_time
    my_time.restype = ctypes.c_long
    before = my_time(1)
    assert clock.replace_clock_of(library)
    assert my_time(1) == clock.word[0] >= before
    for time in (0, 1, SECOND - 1, SECOND, 7 * SECOND + 123, 1 << 61):
        clock.word[0] = time
        assert [my_time(number) for number in (0, 1, 6)] == [time] * 3


def test_library_without_a_clock_reads_none() -> None:
    assert not VirtualClock().replace_clock_of(load("glibc"))
