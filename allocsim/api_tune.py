"""The function `allocsim.tune`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from allocsim.api import Workload, opened
from allocsim.api_arguments import MAX_SEED, THREADS, call_text
from allocsim.designs import find_design
from allocsim.errors import InputError
from allocsim.events import Trace, on_one_thread
from allocsim.heap import RESERVE
from allocsim.heap.arguments import (
    checked_budget,
    checked_bytes,
    checked_choice,
    checked_path,
    checked_range,
    checked_share,
    checked_text,
)
from allocsim.libraries.find import require_no_library
from allocsim.tuning.question import FLOOR, Question
from allocsim.tuning.tuning import tune as tuned
from allocsim.tuning.workload import Workload as Events
from allocsim.tuning.workload import read_workload
from allocsim.tuning_result import TuningResult

MAX_SCALE = 1000


def tune(
    workloads: Workload | Iterable[Workload],
    design: str,
    *,
    hold_back: Workload | Iterable[Workload] = (),
    floor: float | None = FLOOR,
    seconds: float = 0.0,
    seed: int = 1,
    scale: int = 1,
    threads: str = "recorded",
    reserve: int | str = RESERVE,
    **parameters: int | str,
) -> TuningResult:
    """Find the best table of size classes of a design for given workloads.

    `workloads` and `hold_back` are each one workload or several. The table is tuned for `workloads`
    only; the workloads in `hold_back` are then replayed with this table. If several workloads are
    given without `hold_back`, each is also left out once, and replayed with a table tuned for the
    others. `floor` is the maximum rounding of an object, as a share of its allocated size, or None
    for no limit. Rounding of up to 15 bytes is always allowed. If `seconds` is not 0, a random
    search with the random seed `seed` then looks for a better table for `seconds` seconds. Each
    call of a workload is made `scale` times. `parameters` are the parameters of the design; the
    defaults include startup="none" for tcmalloc, and direct=1 for go. The other arguments are those
    of `replay`.
    """
    named, others = _listed("workloads", workloads), _listed("hold_back", hold_back)
    arguments = {"workloads": _one_or_all(named), "hold_back": _one_or_all(others)}
    call = call_text(tune, locals() | arguments)
    if not named:
        raise InputError("tune: there is no workload")
    checked_choice("tune", "threads", threads, THREADS)
    copies = checked_range("tune", "scale", scale, 1, MAX_SCALE)
    limits = (
        checked_budget("tune", "seconds", seconds),
        checked_range("tune", "seed", seed, 0, MAX_SEED),
    )
    question = Question(
        _table_design(design),
        parameters,
        None if floor is None else checked_share("tune", "floor", floor),
        checked_bytes("tune", "reserve", reserve),
    )
    read = [_read(each, threads, copies) for each in (*named, *others)]
    watch = (lambda _: None, lambda *_: None)
    tuning = tuned(question, read[: len(named)], read[len(named) :], limits, watch)
    return TuningResult(tuning, call)


def _read(source: Workload, threads: str, copies: int) -> Events:
    """Open a workload and read its events into memory."""
    with opened(source, None) as trace:
        return read_workload(on_one_thread(trace) if threads == "one" else trace, copies)


def _table_design(name: object) -> str:
    """Return `name`; raise InputError or UnknownName if it is not the name of a design."""
    design = checked_text("tune", "design", name)
    require_no_library(design)
    find_design(design)
    return design


def _listed(argument: str, given: Workload | Iterable[Workload]) -> tuple[Workload, ...]:
    """Return one workload or several as a tuple; raise InputError for anything else."""
    if isinstance(given, Trace | str | os.PathLike | Mapping):
        return (given,)
    try:
        several: Iterator[Any] = iter(given)
    except TypeError:
        several = iter([given])
    return tuple(
        each if isinstance(each, Trace | Mapping) else checked_path("tune", argument, each)
        for each in several
    )


def _one_or_all(workloads: tuple[Workload, ...]) -> object:
    """Return the only workload, or the tuple of several."""
    return workloads[0] if len(workloads) == 1 else workloads
