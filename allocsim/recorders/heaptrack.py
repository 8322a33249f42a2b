"""heaptrack's recorder, as `heaptrack -r` runs it, without its script.

A recorder. The script writes about itself on the program's standard output; the library that it
preloads is all that is needed. It sees no thread numbers, no arguments of calloc and no memalign,
and unwinds the stack at each call. Its one rule: what the library writes stays raw, with addresses.
"""

from __future__ import annotations

import shutil
from contextlib import AbstractContextManager
from pathlib import Path

from allocsim.events import Trace
from allocsim.recorders.base import Recorder, recorded
from allocsim.recorders.program import Ended, Program, preloading, run_program

INSTALL = "apt install heaptrack"

LIBRARY = "libheaptrack_preload.so"

_FILE = "heaptrack.raw"


def lacks(_: Program) -> str | None:
    """What is missing to run heaptrack."""
    return None if _library() else f"{LIBRARY} is missing: {INSTALL}"


def run(program: Program, place: Path) -> Ended:
    """Run the program with heaptrack's library in it."""
    output = {"DUMP_HEAPTRACK_OUTPUT": str(place / _FILE)}
    return run_program(program, preloading(_library() or LIBRARY) | output)


def read(place: Path, _: Ended) -> AbstractContextManager[Trace]:
    """The trace of what the library wrote."""
    return recorded(place / _FILE)


def _library() -> Path | None:
    """The library, which lies where heaptrack's script looks for it: beside its own directory."""
    script = shutil.which("heaptrack")
    beside = Path(script).resolve().parents[1] / "lib" if script else Path("/usr/lib")
    for place in (beside, *beside.glob("*-linux-gnu*")):
        if (place / "heaptrack" / LIBRARY).is_file():
            return place / "heaptrack" / LIBRARY
    return None


RECORDER = Recorder(
    name="heaptrack",
    why="all but memalign, without threads; 1.9 times as slow (measured with sqlite3)",
    install=INSTALL,
    lacks=lacks,
    run=run,
    read=read,
    blind_to="static and set-uid programs, those with an allocator of their own, those that become "
    "another program (exec), and short ones that end by _exit, as sh does (--with lttng)",
)
