"""The guard: a small C library that is preloaded with heaptrack, LTTng or mtrace.

These recorders write through file descriptors that the recorded program may close or replace. They
would then lose calls, or write into the program's own files. The guard (`guard.c`) keeps the
descriptors open. It also counts failed writes, and libraries that bypass the recorder. The counts
are in a file, called the page. If the program calls an aligned allocation function that the
recorder does not know, the guard calls one that the recorder knows instead. The guard is compiled
for each recording.
"""

from __future__ import annotations

import errno
import os
import struct
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from allocsim.capabilities import Capabilities
from allocsim.recorders.base import Recorder
from allocsim.recorders.compiler import INSTALL, compile_library, why_no_compiler
from allocsim.recorders.program import Outcome
from allocsim.text import counted, format_bytes

SOURCE = Path(__file__).with_name("guard.c")

OUTPUT = "recording"
"""File in the work directory that the recorder writes."""

_PAGE, _LENGTH = "guard.page", 4096

UNGUARDED = (
    "no C compiler is installed, so the recorder is not guarded: lost calls are not noticed, and "
    "the recording is damaged if the program closes the recorder's files; to install a compiler: "
    f"{INSTALL}"
)
"""The note on a recording without the guard."""


class Page(NamedTuple):
    """The counts of the guard. The layout is that of `struct page` in guard.c."""

    process: int
    """Process id of the program, or 0 if the guard was not loaded."""
    images: int
    """Number of programs that this process has executed under the recorder, including the first."""
    ended: int
    """The value of `images` when the process ended normally. 0 if the process was killed, or if the
    last program that it executed did not load the guard."""
    error: int
    """The errno of the first failed write of the recording, or 0 if no write failed."""
    lost: int
    """Number of bytes of the recording that were not written."""
    deep_binds: int
    """Number of calls of dlopen with RTLD_DEEPBIND."""
    early_exits: int
    """Number of calls of _exit, which ends the process without its exit handlers."""


def capabilities_here(recorder: Recorder) -> Capabilities:
    """Return what the recorder can see on this machine.

    If no C compiler is installed, a recorder runs without its guard, and misses some of the aligned
    allocations.
    """
    capabilities = recorder.capabilities
    if not recorder.is_guarded or why_no_compiler() is None:
        return capabilities
    return replace(capabilities, aligned_calls="partly")


def build_guard(directory: Path, recorder: str) -> Path | None:
    """Compile the guard for a recorder into the work directory; return the file.

    Returns None if no compiler is installed, and raises RecorderFailed if the compiler fails.
    """
    if why_no_compiler():
        return None
    library = directory / "guard.so"
    compile_library(library, "-O2", f"-DFOR_{recorder.upper()}", SOURCE)
    with (directory / _PAGE).open("wb") as page:
        page.truncate(_LENGTH)
        # Reserve the page now: on a full disk, a write to the mapped page would later end the
        # program by SIGBUS.
        os.posix_fallocate(page.fileno(), 0, _LENGTH)
    return library


def guard_variables(directory: Path) -> dict[str, str]:
    """Return the environment variables that the guard reads."""
    return {
        "ALLOCSIM_GUARD": str(directory / _PAGE),
        "ALLOCSIM_OUTPUT": str(directory / OUTPUT),
    }


def read_page(directory: Path) -> Page:
    """Return the counts of the guard; all are 0 if there was no guard."""
    try:
        head = (directory / _PAGE).read_bytes()[: 8 * len(Page._fields)]
        return Page(*struct.unpack(f"={len(Page._fields)}q", head))
    except (OSError, struct.error):
        return Page(*[0] * len(Page._fields))


def guard_losses(directory: Path, outcome: Outcome) -> list[str]:
    """Return a sentence on each kind of lost calls that the guard has noticed."""
    page = read_page(directory)
    losses = []
    if page.error:
        reason = os.strerror(page.error)
        more = "; set TMPDIR to a directory with more space" if page.error == errno.ENOSPC else ""
        losses.append(
            f"the recorder could not write its file ({reason}): the last "
            f"{format_bytes(page.lost)} of the recording are lost{more}"
        )
    # If a signal killed the process, `ended` is 0 even if the recorder saw all its programs.
    if page.process and page.images != page.ended and outcome.status <= 128:
        losses.append(
            "the program executed another program without the recorder: the calls of the other "
            "program are not recorded"
        )
    return losses


def deep_bind_losses(directory: Path) -> list[str]:
    """Return a sentence on the calls of libraries that do not use the preloaded functions."""
    count = read_page(directory).deep_binds
    reason = "calls of libraries that the program opened with RTLD_DEEPBIND bypass the recorder"
    return [f"{reason} ({counted(count, 'dlopen call')})"] if count else []
