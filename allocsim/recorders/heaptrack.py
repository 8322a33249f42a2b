"""The heaptrack recorder: preloads heaptrack's library, as `heaptrack -r` does.

The heaptrack script is not used because it prints to the program's standard output. heaptrack
unwinds the stack at each call. It does not record thread ids, calloc's arguments or memalign calls.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from allocsim.recorders.base import Recorder, reads_file
from allocsim.recorders.program import Outcome, Program, preload, run_program

INSTALL = "apt install heaptrack"

LIBRARY = "libheaptrack_preload.so"

_FILE = "heaptrack.raw"


def missing(_: Program) -> str | None:
    """Return why heaptrack cannot be used, with the remedy, or None if it can."""
    return None if _library() else f"{LIBRARY} is missing: {INSTALL}"


def run(program: Program, directory: Path) -> Outcome:
    """Run the program with heaptrack's library preloaded."""
    output = {"DUMP_HEAPTRACK_OUTPUT": str(directory / _FILE)}
    return run_program(program, preload(_library() or LIBRARY) | output)


def _library() -> Path | None:
    """Find the library where heaptrack's script does: in ../lib relative to the script."""
    script = shutil.which("heaptrack")
    lib = Path(script).resolve().parents[1] / "lib" if script else Path("/usr/lib")
    for directory in (lib, *lib.glob("*-linux-gnu*")):
        if (directory / "heaptrack" / LIBRARY).is_file():
            return directory / "heaptrack" / LIBRARY
    return None


RECORDER = Recorder(
    name="heaptrack",
    summary="all calls but memalign, without threads; 1.9x run time (measured with sqlite3)",
    install=INSTALL,
    missing=missing,
    run=run,
    read=reads_file(_FILE),
    blind_to="static and set-uid programs, programs with an allocator of their own, programs that "
    "exec another, and short programs that end by _exit, such as sh (use --with lttng)",
)
