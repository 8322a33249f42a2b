"""The mtrace recorder: glibc's own mtrace(), called by the guard (`guard.c`).

Since glibc 2.34, mtrace() works only if libc_malloc_debug.so.0, a part of Debian's libc6, is
preloaded too. mtrace does not record which thread makes a call. It writes 78 bytes of text per
call. Only the program itself is recorded, not its forked children: a child would write into the
same file, where its calls would look like those of the program.
"""

from __future__ import annotations

from pathlib import Path

from allocsim.capabilities import Capabilities
from allocsim.recorders.base import Recorder, RecorderFailed, Request, reads_file, shared_library
from allocsim.recorders.compiler import INSTALL, why_no_compiler
from allocsim.recorders.guard import (
    OUTPUT,
    build_guard,
    deep_bind_losses,
    guard_losses,
    guard_variables,
)
from allocsim.recorders.linkage import why_not_with_glibc_only
from allocsim.recorders.program import Outcome, preload, run_program

DEBUG = "libc_malloc_debug.so.0"
"""The library with glibc's debugging malloc."""


def missing(_: Request) -> str | None:
    """Return why mtrace cannot be used, with the remedy, or None if it can."""
    if reason := why_no_compiler():
        return reason
    if shared_library("c_malloc_debug") is None:
        return f"{DEBUG} is missing: it is part of glibc 2.34 and newer"
    return None


def run(request: Request, directory: Path) -> Outcome:
    """Run the program with mtrace started before its main()."""
    guard = build_guard(directory, "mtrace")
    if guard is None:
        raise RecorderFailed(why_no_compiler() or "")
    # The guard sets this LD_PRELOAD for the processes that the program starts.
    inherited = {"ALLOCSIM_LD_PRELOAD": preload()["LD_PRELOAD"]}
    output = {"MALLOC_TRACE": str(directory / OUTPUT)}
    variables = preload(DEBUG, guard) | inherited | output | guard_variables(directory)
    return run_program(request.program, variables)


def losses(directory: Path, outcome: Outcome) -> list[str]:
    """Return a sentence on each kind of lost call."""
    return [*guard_losses(directory, outcome), *deep_bind_losses(directory)]


RECORDER = Recorder(
    name="mtrace",
    summary="all calls; 7.6x run time with sqlite3, 30x or more if a program only allocates",
    install=INSTALL,
    capabilities=Capabilities(
        threads="no", thread_ends="no", reallocs="yes", aligned_calls="partly"
    ),
    missing=missing,
    unsuited=why_not_with_glibc_only,
    run=run,
    read=reads_file(OUTPUT),
    read_with_sites=reads_file(OUTPUT, sites=True),
    records_sites=True,
    has_callers_only=True,
    losses=losses,
    is_guarded=True,
    follows_exec=False,
    keeps_last_calls=False,
    own_memory=24 << 10,  # measured with a program that allocates only once
)
