"""Recorders: run a program under an installed malloc recorder and keep its trace.

Each recorder has a module. This one chooses among them, and `recording` runs the chosen one. The
program's output and exit status are passed on unchanged, and the recorder leaves nothing behind.
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
    """Return the recorders that can record `program`, in order of preference.

    If `wanted` is given, only the recorder of that name is considered. If no recorder is left,
    EnvironmentLacks is raised with the reasons.
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
    """Return the recorder of that name; raise UnknownName if none exists."""
    for recorder in RECORDERS:
        if recorder.name == name:
            return recorder
    raise UnknownName("recorder", name, [recorder.name for recorder in RECORDERS])
