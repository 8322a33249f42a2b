"""Recorders: run a program, record its malloc calls, and keep them as a trace.

Each recorder is a module that defines a `RECORDER`. This module chooses a recorder, and `recording`
runs it. The program's output and exit status are passed on unchanged. Of the recorder's files, only
the trace is kept.
"""

from __future__ import annotations

from allocsim.errors import EnvironmentLacks, InputError, UnknownName
from allocsim.recorders import heaptrack, lttng, memray, mtrace, preload
from allocsim.recorders.base import Recorder, Request

RECORDERS: tuple[Recorder, ...] = (
    preload.RECORDER,
    lttng.RECORDER,
    heaptrack.RECORDER,
    mtrace.RECORDER,
    memray.RECORDER,
)
"""Every recorder, in order of preference. With --sites, a recorder that sees Python objects comes
first: the others record the interpreter's source lines instead of the Python program's. Recorders
that record only the caller of each call, not its stack, come last."""


def usable_recorders(request: Request, chosen: str | None) -> list[Recorder]:
    """Return the recorders that can record what is requested, in order of preference.

    If `chosen` is given, only the recorder of that name is considered. Raises EnvironmentLacks,
    with the reason for each recorder, if none can record the request. Raises InputError if the
    recorder `chosen` does not support an option of the request.
    """
    candidates = _with_options([_find(chosen)] if chosen else [*RECORDERS], request, chosen)
    if request.sites:
        candidates.sort(key=lambda each: (not each.sees_python_objects, each.has_callers_only))
    name = request.program.name
    unsuited = {recorder.name: recorder.unsuited(request) for recorder in candidates}
    missing = {
        recorder.name: unsuited[recorder.name] or recorder.missing(request)
        for recorder in candidates
    }
    usable = [recorder for recorder in candidates if missing[recorder.name] is None]
    if not usable and chosen:
        raise EnvironmentLacks(f"{chosen} cannot record {name}: {missing[chosen]}")
    if not usable:
        reasons = "; ".join(f"{recorder}: {reason}" for recorder, reason in missing.items())
        suited = [recorder for recorder in candidates if unsuited[recorder.name] is None]
        advice = f"; recommended: {suited[0].install}" if suited else ""
        raise EnvironmentLacks(f"no installed recorder can record '{name}'{advice} ({reasons})")
    return usable


def why_not_best(request: Request, chosen: Recorder) -> str | None:
    """Return why the preferred recorder cannot be used on this machine.

    Returns None if `chosen` is the preferred recorder, or if the program or an option ruled the
    preferred recorder out.
    """
    best = RECORDERS[0]
    if chosen is best or best.unsuited(request) is not None or request.python_allocators:
        return None
    reason = best.missing(request)
    return f"{best.name}, which records more, cannot be used: {reason}" if reason else None


def _with_options(
    candidates: list[Recorder], request: Request, chosen: str | None
) -> list[Recorder]:
    """Return the recorders that support the request's options; raise InputError if none does."""
    options = {
        "--children": (request.children, "records_children", "the processes that a program starts"),
        "--sites": (request.sites, "records_sites", "the stacks of calls"),
        "--live": (request.live is not None, "shows_live", "live bytes while a program runs"),
        "--wait": (request.wait, "waits_for_children", "processes that outlive a program"),
        "--trace-python-allocators": (
            request.python_allocators,
            "sees_python_objects",
            "Python's own allocators",
        ),
    }
    for option, (is_given, ability, data) in options.items():
        if is_given:
            able = [recorder.name for recorder in RECORDERS if getattr(recorder, ability)]
            candidates = [recorder for recorder in candidates if recorder.name in able]
            if not candidates:
                raise InputError(
                    f"{option}: {chosen} does not record {data}; use --with {' or '.join(able)}"
                )
    return candidates


def _find(name: str) -> Recorder:
    """Return the recorder of that name; raise UnknownName if none exists."""
    for recorder in RECORDERS:
        if recorder.name == name:
            return recorder
    raise UnknownName("recorder", name, [recorder.name for recorder in RECORDERS])
