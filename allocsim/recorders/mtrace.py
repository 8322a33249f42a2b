"""The mtrace recorder: glibc's own mtrace(), called by a small preloaded library.

The library is compiled for each recording. Since glibc 2.34 mtrace() does nothing unless
libc_malloc_debug.so.0, part of Debian's libc6, is preloaded too. mtrace records no threads and
writes 78 bytes of text per call. Only the program itself is recorded: a forked child would write
into the same file, where its calls cannot be distinguished.
"""

from __future__ import annotations

import ctypes.util
import shutil
from pathlib import Path

from allocsim.recorders.base import Recorder, RecorderFailed, reads_file, run_command
from allocsim.recorders.program import Outcome, Program, preload, run_program

INSTALL = "apt install gcc libc6-dev"

DEBUG = "libc_malloc_debug.so.0"

# mtrace() does not report the descriptor of its stream, but the stream gets the lowest free one.
# Opening and closing a file reveals which one that is. A forked child has a copy of the stream's
# buffer. Pointing the child's descriptor at /dev/null keeps the child from writing the buffered
# calls a second time.
STARTER = r"""
#include <fcntl.h>
#include <mcheck.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static int stream = -1;
static void detach_child(void) {
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (null >= 0 && stream >= 0) {
        dup3(null, stream, O_CLOEXEC);
        close(null);
    }
}
static void __attribute__((constructor)) start(void) {
    const char *preload = getenv("ALLOCSIM_LD_PRELOAD");
    stream = open("/dev/null", O_RDONLY);
    close(stream);
    mtrace();
    pthread_atfork(NULL, NULL, detach_child);
    if (preload && *preload) setenv("LD_PRELOAD", preload, 1); else unsetenv("LD_PRELOAD");
    unsetenv("ALLOCSIM_LD_PRELOAD");
    unsetenv("MALLOC_TRACE");
}
"""

_FILE = "mtrace.txt"


def missing(_: Program) -> str | None:
    """Return why mtrace cannot be used, with the remedy, or None if it can."""
    if shutil.which("cc") is None:
        return f"no C compiler is installed: {INSTALL}"
    if ctypes.util.find_library("c_malloc_debug") is None:
        return f"{DEBUG} is missing: it is part of glibc 2.34 and newer"
    return None


def run(program: Program, directory: Path) -> Outcome:
    """Run the program with mtrace started before its main()."""
    source, starter = directory / "starter.c", directory / "starter.so"
    source.write_text(STARTER)
    compiled = run_command("cc", "-shared", "-fPIC", "-D_GNU_SOURCE", "-O1", "-o", starter, source)
    if compiled.returncode != 0:
        raise RecorderFailed(f"the C compiler failed: {compiled.stderr.strip()[-200:]}; {INSTALL}")
    inherited = {"ALLOCSIM_LD_PRELOAD": preload()["LD_PRELOAD"]}
    output = {"MALLOC_TRACE": str(directory / _FILE)}
    return run_program(program, preload(DEBUG, starter) | inherited | output)


RECORDER = Recorder(
    name="mtrace",
    summary="all calls, without threads; 7.6x run time (measured with sqlite3; more with threads)",
    install=INSTALL,
    missing=missing,
    run=run,
    read=reads_file(_FILE),
)
