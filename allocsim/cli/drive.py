"""What every driver does once its stream of events is known: play, watch, report.

Between the commands and the player. Its one rule: stdout carries the result and nothing else;
progress, notes and "wrote FILE" go to stderr, progress only to a terminal.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import click

from allocsim.cli.options import Settings
from allocsim.cli.output import tell
from allocsim.core.jit import CACHE, PURE
from allocsim.core.kernel_cache import is_cold, mark_warm
from allocsim.designs import design_summaries, find_design
from allocsim.driver import Touch
from allocsim.errors import InputError
from allocsim.events import Trace
from allocsim.heap import Heap
from allocsim.player import NEVER, Options, Player, play
from allocsim.profile import Profile
from allocsim.reports import Result
from allocsim.reports.run_screen import print_result
from allocsim.reports.run_text import json_text, write_csv, write_json, write_markdown


def drive(trace: Trace, settings: Settings) -> None:
    """Play `trace` as `settings` say and report the result."""
    with _compiled(settings) as heap:
        profile = _played(heap, trace, settings)
        shown = heap.design.shown(heap.parameters)
        result = Result(trace, profile, heap.design.name, shown, command_line())
    for note in trace.notes:
        tell(f"note: {note}")
    _export(result, settings)
    if settings.json:
        click.echo(json_text(result))
    else:
        print_result(result, settings.classes, settings.native_counters)


def command_line() -> str:
    """The command as the user could type it again."""
    return shlex.join(["allocsim", *sys.argv[1:]])


def _compiled(settings: Settings) -> Heap:
    """An empty heap whose kernels are compiled; on a terminal a status line, if that takes long."""
    _require_no_library(settings.design)
    parameters = dict(settings.set)
    find_design(settings.design).checked(parameters)  # before they could be taken for Heap's own
    if PURE or not (sys.stderr.isatty() and is_cold(CACHE, settings.design)):
        return Heap(settings.design, reserve=settings.reserve, **parameters)
    from allocsim.cli.progress import compiling

    with compiling():
        heap = Heap(settings.design, reserve=settings.reserve, **parameters)
        Player(heap, Options())  # compiles the driver
    mark_warm(CACHE, settings.design)
    return heap


def _require_no_library(design: str) -> None:
    """InputError for a malloc library, which is no design."""
    if design in design_summaries():
        return
    from allocsim.libraries.find import KNOWN, PREFIX

    name = design.removeprefix(PREFIX)
    if design != name or name in KNOWN:
        raise InputError(f"'{design}' is a library: allocsim compare WORKLOAD --on {PREFIX}{name}")


def _played(heap: Heap, trace: Trace, settings: Settings) -> Profile:
    """Play the trace, with a status line and a progress bar on a terminal."""
    options = Options(
        touch=Touch[settings.touch.upper()],
        verify=settings.verify,
        limit=NEVER if settings.limit is None else settings.limit,
        every=settings.every,
        check_every=settings.check_every,
    )
    if not sys.stderr.isatty():
        return play(heap, trace, options)
    from allocsim.cli.progress import progress_bar, warm_up

    warm_up(trace)
    with progress_bar(trace) as watch:
        return play(heap, trace, options, watch)


def _export(result: Result, settings: Settings) -> None:
    """Write the files that were asked for."""
    writers: tuple[tuple[str | None, Callable[..., None]], ...] = (
        (settings.export_json, write_json),
        (settings.export_csv, write_csv),
        (settings.export_markdown, write_markdown),
    )
    for path, write in writers:
        if path is not None:
            write(Path(path), result)
            tell(f"wrote {path}")
