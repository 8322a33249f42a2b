"""glibc's own recorder, mtrace, switched on by a library that the C compiler makes on the spot.

A recorder. Since glibc 2.34 mtrace() does nothing without libc_malloc_debug.so.0, which is part of
Debian's libc6. It sees no threads and writes 78 bytes of text for each call. Its one rule: only the
program itself is recorded; a child that it forks would write into the same file, without saying so.
"""

from __future__ import annotations

import ctypes.util
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from allocsim.events import Trace
from allocsim.recorders.base import CannotBegin, Recorder, answer, recorded
from allocsim.recorders.program import Ended, Program, preloading, run_program

INSTALL = "apt install gcc libc6-dev"

DEBUG = "libc_malloc_debug.so.0"

# The stream's number is the lowest that is free when mtrace() opens it. A forked child holds a copy
# of the stream's buffer: its descriptor leads to nowhere, so that nothing is written twice.
SWITCH = r"""
#include <fcntl.h>
#include <mcheck.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static int stream = -1;
static void forget(void) {
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0 && stream >= 0) {
        dup3(nowhere, stream, O_CLOEXEC);
        close(nowhere);
    }
}
static void __attribute__((constructor)) begin(void) {
    const char *preload = getenv("ALLOCSIM_LD_PRELOAD");
    stream = open("/dev/null", O_RDONLY);
    close(stream);
    mtrace();
    pthread_atfork(NULL, NULL, forget);
    if (preload && *preload) setenv("LD_PRELOAD", preload, 1); else unsetenv("LD_PRELOAD");
    unsetenv("ALLOCSIM_LD_PRELOAD");
    unsetenv("MALLOC_TRACE");
}
"""

_FILE = "mtrace.txt"


def lacks(_: Program) -> str | None:
    """What is missing to use mtrace."""
    if shutil.which("cc") is None:
        return f"there is no C compiler: {INSTALL}"
    if ctypes.util.find_library("c_malloc_debug") is None:
        return f"{DEBUG} is missing: it is part of glibc 2.34 and newer"
    return None


def run(program: Program, place: Path) -> Ended:
    """Run the program with mtrace switched on."""
    source, switch = place / "switch.c", place / "switch.so"
    source.write_text(SWITCH)
    made = answer("cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-O1", "-o", switch, source)
    if made.returncode != 0:
        raise CannotBegin(f"the C compiler failed: {made.stderr.strip()[-200:]}; {INSTALL}")
    preload = preloading(DEBUG, switch)
    before = {"ALLOCSIM_LD_PRELOAD": preloading()["LD_PRELOAD"]}
    return run_program(program, preload | before | {"MALLOC_TRACE": str(place / _FILE)})


def read(place: Path, _: Ended) -> AbstractContextManager[Trace]:
    """The trace of what glibc wrote."""
    return recorded(place / _FILE)


RECORDER = Recorder(
    name="mtrace",
    why="every call, without threads; 7.6 times as slow (measured with sqlite3; threads wait more)",
    install=INSTALL,
    lacks=lacks,
    run=run,
    read=read,
)
