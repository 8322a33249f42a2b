"""Recorders: run a program under an installed malloc recorder and keep its trace.

A module for each recorder; this one chooses among them, and `recording` runs the chosen one. The
program's own output and exit status come through unchanged, and nothing of the recorder remains.
"""

from __future__ import annotations

from allocsim.errors import EnvironmentLacks, UnknownName
from allocsim.recorders import heaptrack, lttng, memray, mtrace
from allocsim.recorders.base import Recorder
from allocsim.recorders.program import Program

RECORDERS: tuple[Recorder, ...] = (
    lttng.RECORDER,
    heaptrack.RECORDER,
    mtrace.RECORDER,
    memray.RECORDER,
)
"""Every recorder, in order of preference."""


def usable_recorders(program: Program, wanted: str | None) -> list[Recorder]:
    """Return the recorders that can record `program`, or only the one named `wanted`, in order.

    EnvironmentLacks with the reasons if there is none.
    """
    known = [_find(wanted)] if wanted else [*RECORDERS]
    missing = {recorder.name: recorder.missing(program) for recorder in known}
    usable = [recorder for recorder in known if missing[recorder.name] is None]
    if not usable and wanted:
        raise EnvironmentLacks(f"{wanted} cannot record {program.name}: {missing[wanted]}")
    if not usable:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in missing.items())
        raise EnvironmentLacks(
            f"no installed recorder can record '{program.name}'; recommended: {known[0].install} "
            f"({reasons})"
        )
    return usable


def _find(name: str) -> Recorder:
    """Return the recorder of that name; UnknownName if there is none."""
    for recorder in RECORDERS:
        if recorder.name == name:
            return recorder
    raise UnknownName("recorder", name, [recorder.name for recorder in RECORDERS])
