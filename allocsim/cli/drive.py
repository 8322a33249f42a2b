"""Replaying and reporting, for the commands replay, run, random, repeat and empirical."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from functools import partial
from typing import Any

import click

from allocsim.cli.options import Settings
from allocsim.cli.output import export, log
from allocsim.cli.picture_options import export_pictures
from allocsim.designs import design_summaries, find_design
from allocsim.driver import Touch
from allocsim.errors import InputError
from allocsim.events import Trace, first_events
from allocsim.heap import Heap
from allocsim.moments import Choice, event_at
from allocsim.player import Options, replay_trace
from allocsim.profile import Profile
from allocsim.reports import Result
from allocsim.reports.run_screen import print_result
from allocsim.reports.run_text import csv_text, json_text, markdown_text
from allocsim.reports.trace_warnings import trace_warnings
from allocsim.workloads import default_design, expect_kernels


def drive(trace: Trace, settings: Settings) -> None:
    """Replay `trace` as `settings` say and report the result."""
    design = settings.design or default_design(trace)
    expect_kernels(trace, [design])
    with _new_heap(design, settings) as heap:
        profile = _replay(heap, trace, settings)
        if settings.at is not None:
            profile = _at_moment(profile, trace, settings, settings.at)
        parameters = heap.design.shown(heap.parameters)
        result = Result(trace, profile, heap.design.name, parameters, command_line())
    for note in trace.notes:
        log(f"note: {note}")
    for warning in trace_warnings(trace, profile=profile):
        log(f"warning: {warning}")
    try:
        _export(result, settings)
    finally:  # print the report even if a file cannot be written
        _print(result, settings)


def _export(result: Result, settings: Settings) -> None:
    """Write the files that the settings name."""
    export(
        [
            (settings.export_json, lambda: json_text(result)),
            (settings.export_csv, lambda: csv_text(result)),
            (settings.export_markdown, lambda: markdown_text(result)),
        ]
    )
    export_pictures(settings._asdict(), partial(_page, result))


def _print(result: Result, settings: Settings) -> None:
    """Print the report, or the result as JSON."""
    if settings.json:
        click.echo(json_text(result))
        return
    print_result(
        result,
        settings.classes,
        settings.native_counters,
        note="" if settings.design else "--design selects another allocator",
    )


def _page(result: Result) -> Any:
    """Return the page with the pictures of a replay."""
    from allocsim.pictures.run_page import run_page

    return run_page(result)


def command_line() -> str:
    """Return the command, quoted so that it can be pasted into a shell."""
    return shlex.join(["allocsim", *sys.argv[1:]])


def _new_heap(design: str, settings: Settings) -> Heap:
    """Return a new heap of a design, with the parameters of --set."""
    if design not in design_summaries():
        from allocsim.libraries.find import require_no_library

        require_no_library(design)
    parameters = dict(settings.set)
    # Checked before Heap is called: a wrong key may be the name of another argument of Heap.
    find_design(design).checked(parameters)
    return Heap(design, reserve=settings.reserve, **parameters)


def _at_moment(profile: Profile, trace: Trace, settings: Settings, chosen: Choice) -> Profile:
    """Replay again up to a chosen moment, and add the heap at that moment to the profile."""
    event = event_at(profile.moments, chosen, trace.times)
    if trace.reopen is None:
        raise InputError(f"--at reads the workload twice, and '{trace.name}' can be read only once")
    options = Options(touch=Touch[settings.touch.upper()], limit=settings.limit)
    with _new_heap(settings.design or default_design(trace), settings) as heap:
        replayed = replay_trace(heap, first_events(trace.reopen(), event), options)
    return replace(
        profile,
        at_moment=replayed.at_end,
        classes=replayed.classes,
        caches=replayed.caches,
        native_counters=replayed.native_counters,
    )


def _replay(heap: Heap, trace: Trace, settings: Settings) -> Profile:
    """Replay the trace, with a progress bar on a terminal."""
    options = Options(
        touch=Touch[settings.touch.upper()],
        verify=settings.verify,
        limit=settings.limit,
        every=settings.every,
        check_every=settings.check_every,
    )
    if not sys.stderr.isatty():
        return replay_trace(heap, trace, options)
    from allocsim.cli.progress import progress_bar

    with progress_bar(trace) as watch:
        return replay_trace(heap, trace, options, watch)
