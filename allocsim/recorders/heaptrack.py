"""The heaptrack recorder: preloads heaptrack's library, as `heaptrack -r` does.

The heaptrack script is not used, because it prints to the program's standard output. heaptrack is
slow because it unwinds the stack at each call. It does not record thread ids, alignments or the
arguments of calloc, and it records a realloc as a free and a malloc.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from allocsim.capabilities import Capabilities
from allocsim.recorders.base import Recorder, Request, reads_file
from allocsim.recorders.guard import OUTPUT, build_guard, guard_losses, guard_variables
from allocsim.recorders.linkage import why_unsuited
from allocsim.recorders.program import Outcome, preload, run_program

INSTALL = "apt install heaptrack"

LIBRARY = "libheaptrack_preload.so"


def missing(_: Request) -> str | None:
    """Return why heaptrack cannot be used, with the remedy, or None if it can."""
    return None if _library() else f"{LIBRARY} is missing: {INSTALL}"


def run(request: Request, directory: Path) -> Outcome:
    """Run the program with heaptrack's library preloaded."""
    libraries = filter(None, [build_guard(directory, "heaptrack"), _library()])
    output = {"DUMP_HEAPTRACK_OUTPUT": str(directory / OUTPUT)}
    variables = preload(*libraries) | output | guard_variables(directory)
    return run_program(request.program, variables)


def _library() -> Path | None:
    """Return heaptrack's library, or None if it is not found.

    The library is searched for where the heaptrack script searches: in ../lib, relative to the
    script's directory. If the script is not installed, it is searched for in /usr/lib.
    """
    script = shutil.which("heaptrack")
    lib = Path(script).resolve().parents[1] / "lib" if script else Path("/usr/lib")
    for directory in (lib, *lib.glob("*-linux-gnu*")):
        if (directory / "heaptrack" / LIBRARY).is_file():
            return directory / "heaptrack" / LIBRARY
    return None


RECORDER = Recorder(
    name="heaptrack",
    summary="all calls; 1.9x run time with sqlite3, 8x or more if a program only allocates",
    install=INSTALL,
    capabilities=Capabilities(
        threads="no", thread_ends="no", reallocs="no", aligned_calls="partly"
    ),
    missing=missing,
    unsuited=why_unsuited,
    run=run,
    read=reads_file(OUTPUT),
    read_with_sites=reads_file(OUTPUT, sites=True),
    records_sites=True,
    losses=guard_losses,
    is_guarded=True,
    follows_exec=False,
    keeps_last_calls=False,
    blind_to="static and set-uid programs, and those with their own allocator; also programs that "
    "execute another program, and short programs that end by _exit, such as sh: for these two "
    "kinds, use --with lttng",
)
