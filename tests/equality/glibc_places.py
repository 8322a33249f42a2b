"""Replay events on the real glibc, and write its counters and the place of every object to a file.

The counters are read at checkpoints, and those of malloc_info at the end. Aligned objects come from
memalign and its siblings in turn (see `glibc_entry_points`).

`glibc_equality` runs this module in a fresh process, as
`python -m tests.equality.glibc_places EVENTS RESULT EVERY`. Python itself uses the malloc of a
preloaded library, so only the events use glibc's malloc and move the program break.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from allocsim.core.jit import kernel
from allocsim.core.raw import load_word
from allocsim.driver import replay
from allocsim.events import EVENT, Op
from allocsim.libraries.counters import MALLINFO, read_counters
from allocsim.libraries.load import load
from allocsim.libraries.state import FUNCTIONS, Library
from tests.equality.checkpoints import quiet_run, slices
from tests.equality.glibc_entry_points import AlignedCalls, malloc_info
from tests.equality.lockstep import LockStep

ROW = np.dtype([("event", np.int64), *((name, np.int64) for name in MALLINFO)])
"""One checkpoint, after `event` events."""

NON_MAIN, MMAPPED = 4, 2
"""Flags in the word before an object."""

HEAP, PAGE = 64 << 20, 4096


@kernel
def replay_places(heap: Any, run: Any, events: Any, places: np.ndarray, brk: int) -> int:
    """Replay events; return how many were replayed.

    For each event that allocates, sets a row of `places`: (place, head, address of the mapping).
    The head is the word before the object, with the size and the flags of the object's chunk. The
    place is the object's offset: in the main arena, from the program break before the first event
    (`brk`); in another arena, from the start of the 64 MiB heap; in a mapping, from the start of
    the page. The third field is 0 for an object that has no mapping of its own.
    """
    for index in range(len(events)):
        if replay(heap, run, events[index : index + 1], 0) != 1:
            return index
        address = run.objects[events[index].object].address
        if address and events[index].op <= Op.REALLOC:
            head = load_word(address - 8)
            place = address - brk
            if head & NON_MAIN:
                place = address & (HEAP - 1)
            elif head & MMAPPED:
                place = address & (PAGE - 1)
                places[index, 2] = address - 16 - load_word(address - 16)
            places[index, 0], places[index, 1] = place, head
    return len(events)


class Log:
    """Replays slices of events and keeps the places of their objects."""

    def __init__(self, heap: Any, events: Any, brk: int) -> None:
        self.heap, self.run, self.brk = heap, quiet_run(events), brk
        self.places = np.zeros((len(events), 3), np.int64)
        self.done = 0

    def replay(self, part: Any) -> None:
        """Replay a slice on the calling thread. Raises RuntimeError if an event fails."""
        rows = self.places[self.done : self.done + len(part)]
        done = replay_places(self.heap, self.run, part, rows, self.brk)
        if done != len(part):
            reason = self.run.driver[0].stop
            raise RuntimeError(f"stopped for {reason} after {self.done + done} events")
        self.done += len(part)

    def note(self) -> None:
        """Skip the row of a note (an event that is not a call)."""
        self.done += 1


def checkpoints(
    events: Any, every: int, step: Callable[[Any], None], counters: Callable[[], dict[str, int]]
) -> np.ndarray:
    """Replay all events by `step`; return a ROW of counters per checkpoint."""
    rows = []
    for start, stop in slices(len(events), every):
        step(events[start:stop])
        found = counters()
        rows.append((stop, *(found[name] for name in MALLINFO)))
    return np.array(rows, ROW)


def _replay_library(events: Any, every: int) -> dict[str, Any]:
    """Replay `events` on the real library.

    Returns a ROW per checkpoint, the places, the program break before the first event, and the
    counters of malloc_info.
    """
    sbrk = ctypes.CDLL(None).sbrk
    sbrk.restype, sbrk.argtypes = ctypes.c_int64, (ctypes.c_int64,)
    nothing = Library(np.zeros(len(FUNCTIONS), np.int64))
    Log(nothing, events[:0], 0).replay(events[:0])  # compiles the kernel
    library = load("glibc")
    aligned = AlignedCalls(library.handle)
    library.state.function[FUNCTIONS.index("memalign")] = aligned.address
    brk = int(sbrk(0))
    log = Log(library.state, events, brk)

    def trim(_: int) -> None:
        """Call malloc_trim, as a RELEASE note requests."""
        log.note()
        library.handle.malloc_trim(ctypes.c_size_t(0))

    steps = LockStep(log.replay, trim, log.note)
    rows = checkpoints(events, every, steps.step, lambda: read_counters(library))
    info = malloc_info(library.handle)
    steps.close()
    names, values = list(info), list(info.values())
    return {"rows": rows, "places": log.places, "brk": brk, "names": names, "values": values}


def main() -> None:
    """Read events from a file, and write the result of `_replay_library` to another file."""
    source, target, every = sys.argv[1:]
    events = np.load(source).view(EVENT).view(np.recarray)
    np.savez(Path(target), **_replay_library(events, int(every)))


if __name__ == "__main__":
    main()
