"""Run `allocsim sweep`: check the options, read the workloads, run the cells, and report.

A cell is one measurement of one allocator on one workload. Its result is a row of the output file.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import click

from allocsim.benchmark.subject import library_of
from allocsim.cli.measure_options import subjects_of
from allocsim.cli.output import log
from allocsim.cli.sweep_plan import print_plan
from allocsim.cli.sweep_progress import cell_bar
from allocsim.cli.sweep_show import report, require_exports
from allocsim.errors import EnvironmentLacks, InputError
from allocsim.libraries.environment import removed_settings
from allocsim.quantities import parse_count
from allocsim.sweep.axis import list_axis, range_axis
from allocsim.sweep.checks import require_installed, require_no_file
from allocsim.sweep.executors import Place, this_machine
from allocsim.sweep.grid import Subjects, make_subjects
from allocsim.sweep.plan import MEMORY, TIMES, Plan, Settings
from allocsim.sweep.results import Results, collect
from allocsim.sweep.rows_file import RowsFile, read_rows, require_rows
from allocsim.sweep.sweep import missing, outdated, sweep
from allocsim.sweep.workload import read_workloads
from allocsim.text import counted
from allocsim.workloads import expect_kernels


def run(options: dict[str, Any]) -> None:
    """Run a sweep and report it, or print its plan."""
    require_exports(options, options["out"])
    plan, path = _plan(options), Path(options["out"])
    with _place(plan, options) as place:
        if options["plan"]:
            print_plan(plan, place)
            return
        with closing(RowsFile(path)) as file:
            _sweep(plan, file, place, options["retry"])
    keys = {cell.key for measure in (MEMORY, TIMES) for cell in plan.cells(measure)}
    results = collect(row for row in read_rows(path) if row.key in keys)
    report(results, options["out"], options)
    _require_figures(results)


def _require_figures(results: Results) -> None:
    """If every cell failed, raise EnvironmentLacks with the reason of the first failure."""
    cells = [result for column in results.columns for result in column.results.values()]
    if any(cell.peak is not None or cell.ns is not None for cell in cells):
        return
    failures = [failure for column in results.columns for failure in column.failures.items()]
    for subject, reason in failures[:1]:
        rest = len(failures) - 1
        more = f"; {counted(rest, 'more cell')} failed" if rest else ""
        raise EnvironmentLacks(f"no cell could be measured: {subject}: {reason}{more}")


def _plan(options: dict[str, Any]) -> Plan:
    """Check the options, and then read the workloads, which may take minutes."""
    subjects, touches = _subjects(options), _touches(options["touch"])
    seeds = _seeds(options["seed"])
    _require_place(subjects, options["cluster"])
    require_rows(Path(options["out"]))
    expect_kernels(None, subjects.axes)
    workloads = read_workloads(options["workloads"], seeds, options["threads"] == "recorded")
    for workload in workloads:
        for note in workload.events.trace.notes:
            log(f"note: {workload.name}: {note}")
    for note in subjects.notes():
        log(f"note: {note}")
    is_local = options["cluster"] is None
    if is_local and any(map(library_of, subjects.axes)) and (removed := removed_settings()):
        log(f"note: {removed}")
    return Plan(workloads, subjects, touches, options["timed"], _settings(options))


def _sweep(plan: Plan, file: RowsFile, place: Place, retry: bool) -> None:
    """Run the cells that the file does not have, and show the progress on a terminal."""
    missing_cells = sum(1 for m in (MEMORY, TIMES) for _ in missing(plan.cells(m), file, retry))
    present = len(plan) - missing_cells
    if present:
        log(f"{file.path} already has {present:,} of {counted(len(plan), 'cell')}")
    changed = outdated(plan.cells(MEMORY), file) + outdated(plan.cells(TIMES), file)
    if changed:
        options = " or ".join(dict.fromkeys(chain.from_iterable(changed)))
        log(f"measuring {counted(changed.total(), 'cell')} again: {options} has changed")
    if missing_cells:
        log(f"each row is appended to {file.path} (--out); an interrupted sweep can be continued")
    with cell_bar(missing_cells) as count_finished:
        count = sweep(plan, file, place, count_finished, retry)
    if count:
        log(f"wrote {counted(count, 'row')} to {file.path}")


def _require_place(subjects: Subjects, cluster: str | None) -> None:
    """Raise an error if a subject cannot run where the sweep runs: on this machine or a cluster."""
    if cluster is None:
        require_installed(subjects.axes)
        return
    from allocsim.sweep.cluster import require_scheduler

    require_scheduler(cluster)
    require_no_file(subjects.axes)


@contextmanager
def _place(plan: Plan, options: dict[str, Any]) -> Iterator[Place]:
    """Yield the place where cells run: this machine or the cluster."""
    if options["cluster"] is None:
        with this_machine(plan.workloads, options["jobs"] or os.cpu_count() or 1) as place:
            yield place
        return
    from allocsim.sweep.cluster import on_cluster

    with on_cluster(options["cluster"], plan.workloads, options["jobs"]) as place:
        yield place


def _subjects(options: dict[str, Any]) -> Subjects:
    """Return the subjects, each with the values of its settings."""
    axes = [list_axis(text) for text in options["lists"]]
    axes += [range_axis(text) for text in options["ranges"]]
    return make_subjects(subjects_of(options["on"]), axes)


def _settings(options: dict[str, Any]) -> Settings:
    """Return the settings of all cells."""
    return Settings(
        limit=options["limit"],
        reserve=options["reserve"],
        timeout=options["timeout"],
        runs=options["runs"],
        warmup=options["warmup"],
        replay=options["threads"],
    )


def _touches(text: str) -> list[str]:
    """Parse --touch."""
    from allocsim.driver import Touch

    known = [touch.name.lower() for touch in Touch]
    touches = list(dict.fromkeys(word.strip() for word in text.split(",")))
    for touch in touches:
        if touch not in known:
            raise click.UsageError(f"--touch {touch}: expected one of {', '.join(known)}")
    return touches


def _seeds(text: str | None) -> list[int]:
    """Parse --seed."""
    if text is None:
        return []
    seeds = [parse_count(word.strip()) for word in text.split(",")]
    if any(seed is None or not 0 <= seed <= 1 << 62 for seed in seeds):
        raise InputError(f"--seed {text}: expected numbers, as in 1,2,3")
    return list(dict.fromkeys(seed for seed in seeds if seed is not None))
