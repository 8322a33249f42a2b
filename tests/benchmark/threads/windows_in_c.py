"""Compares the driver's replay of windows with that of an independent loop in C.

A plan divides a recording into windows of events. A turn is the events of one thread in one window
(see `benchmark.threads`).

As a program: `windows_in_c LOOP LIBRARY DESCRIPTOR PAIRS` replays a file of events on a library,
alternately with allocsim's driver and with the loop, and prints the ns/event of each pair as JSON.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from allocsim.benchmark.event_file import map_events
from allocsim.benchmark.meter import open_meter
from allocsim.benchmark.stepping import count_objects, new_run, steps_ending_at
from allocsim.benchmark.subject import make_subject
from allocsim.benchmark.thread_times import Setup, replay_once
from allocsim.benchmark.threads.plan import Plan, make_plan
from allocsim.benchmark.threads.replay import Options, ThreadedReplay
from allocsim.benchmark.threads.survey import survey
from allocsim.benchmark.threads.window import choose_window
from allocsim.driver import Touch
from allocsim.player import NEVER

SOURCE = Path(__file__).with_name("replay_windows.c")


class PlanInC(ctypes.Structure):
    """The struct `plan` of the C file."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("stream", "turns", "epochs", "threads")),
        ("counts", ctypes.c_int64 * 4),
        ("function", ctypes.c_int64 * 5),
    )


class LoopInC:
    """The compiled loop, and the plan that it replays."""

    def __init__(self, path: Path, plan: Plan, function: np.ndarray) -> None:
        """Load the loop from `path`; `function` has the addresses of a library's malloc calls."""
        cursor, slots = plan.cursor[0], plan.slots.counts[0]
        sizes = [int(cursor.epochs), len(plan.threads), int(slots.own), int(slots.shared)]
        tables: list[Any] = [plan.stream, plan.turns, plan.epochs, plan.threads]
        self._kept = tables
        self._plan = PlanInC(*(each.ctypes.data for each in tables))
        self._plan.counts[:], self._plan.function[:] = sizes, function.tolist()
        self._library = ctypes.CDLL(str(path))
        self._library.replay_windows.restype = ctypes.c_int64
        self._library.free_objects.restype = ctypes.c_int64

    def replay(self) -> int:
        """Replay all windows; return the CPU time of the turns in ns."""
        return int(self._library.replay_windows(ctypes.byref(self._plan)))

    def free_objects(self) -> int:
        """Free all objects that are live; return their number."""
        return int(self._library.free_objects())


def compile_loop(compiler: str, path: Path) -> Path:
    """Compile the loop to a shared object at `path`, and return `path`."""
    options = ["-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-shared", "-fPIC"]
    subprocess.run([compiler, *options, "-o", str(path), str(SOURCE)], check=True)
    return path


def measure_pairs(loop: Path, library: str, descriptor: int, pairs: int) -> dict[str, list[float]]:
    """Replay a file of events `pairs` times with the driver and with the loop; return the ns/event.

    The keys "driver" and "loop" have the CPU time of the turns; "driver_all" and "loop_all" have
    the CPU time of the process. The first replay of each is a warm-up, and is left out.
    """
    events = map_events(descriptor, None)
    objects, steps, meter = (
        count_objects(events),
        steps_ending_at(np.zeros(0, np.int64)),
        open_meter(),
    )
    window = choose_window(events, objects)
    plan = make_plan(events, survey(events, objects), objects, steps, window.events)
    replay = ThreadedReplay(plan, steps, meter, Options(Touch.PAGE, NEVER, timed=True))
    setup = Setup(replay, new_run(objects, Touch.PAGE), meter, window)
    subject = make_subject(f"lib:{library}")
    assert subject.library is not None
    in_c = LoopInC(loop, plan, subject.library.state.function)

    def run_loop() -> float:
        cpu = in_c.replay()
        in_c.free_objects()
        return cpu / replay.calls

    sides: dict[str, Callable[[], float]] = {
        "driver": lambda: replay_once(setup, subject),
        "loop": run_loop,
    }
    found: dict[str, list[float]] = {}
    for number in range(pairs + 1):
        for name in sorted(sides, reverse=bool(number % 2)):
            before = time.process_time_ns()
            figures = sides[name](), (time.process_time_ns() - before) / replay.calls
            if number:
                found.setdefault(name, []).append(figures[0])
                found.setdefault(f"{name}_all", []).append(figures[1])
    return found | {"window": [window.events]}


if __name__ == "__main__":
    _loop, _library, _events, _pairs = sys.argv[1:]
    _found = measure_pairs(Path(_loop), _library, int(_events), int(_pairs))
    sys.stdout.write(json.dumps(_found))
