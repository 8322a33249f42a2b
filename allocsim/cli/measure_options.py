"""What `compare` and `check` share: subjects from options, a workload measured on them.

Between these commands and `rivals`. Its one rule: what can be refused is refused before the
workload is read, and what is read is let go of whatever happens.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click

from allocsim.cli.options import DEFAULT_RESERVE, recording_options, touch_option
from allocsim.cli.output import log
from allocsim.cli.types import CountType, PercentType, SizeType
from allocsim.errors import InputError

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = (
    click.option(
        "--on",
        help="Designs and libraries, commas between: go2008, tcmalloc:release_rate=10, lib:glibc, "
        "lib:/a/libx.so:x_.",
    ),
    click.option(
        "--runs",
        type=CountType(1, 1000),
        default=5,
        show_default=True,
        help="Timed plays.",
    ),
    click.option(
        "--warmup",
        type=CountType(0, 1000),
        default=1,
        show_default=True,
        help="Plays before them, in the same process.",
    ),
    touch_option,
    click.option(
        "--timeout",
        type=click.FloatRange(0.1, 1e6),
        default=600.0,
        show_default=True,
        help="Seconds that each of a subject's processes may take; then it is killed.",
    ),
    click.option("--limit", type=SizeType(), help="The most memory that a subject may take."),
    click.option(
        "--reserve",
        type=SizeType(),
        default=DEFAULT_RESERVE,
        show_default="64GiB",
        help="Address space for a design's heap: its upper bound, free until used.",
    ),
    click.option("--seed", type=CountType(0, 2**62), help="Instead of the job's own seed."),
    click.option(
        "--keep-settings",
        is_flag=True,
        help="Leave MALLOC_CONF, TCMALLOC_*, MIMALLOC_*, LD_PRELOAD as they are.",
    ),
)


_TOLERANCES = (
    click.option(
        "--tolerance",
        type=PercentType(10_000),
        default="3%",
        show_default=True,
        help="How much worse than the result before it may be.",
    ),
    click.option(
        "--time-tolerance",
        type=PercentType(10_000),
        help="The same for times; without it, times are not compared.",
    ),
)


def tolerance_options(command: Command) -> Command:
    """Give a command the options that say how much worse one result may be than another."""
    for option in reversed(_TOLERANCES):
        option(command)
    return command


def measuring_options(command: Command) -> Command:
    """Give a command the options that say on what and how a workload is measured."""
    for option in (recording_options, *reversed(_OPTIONS)):
        option(command)
    return command


def subjects_of(text: str | None) -> list[str]:
    """The subjects that --on names; without it every design and every library that is here."""
    from allocsim.benchmark.subject import require_subject
    from allocsim.designs import SUMMARIES
    from allocsim.libraries.find import KNOWN, PREFIX, find_library

    if text is None:
        return [*SUMMARIES, *(PREFIX + name for name in KNOWN if find_library(name))]
    subjects = [name.strip() for name in text.split(",")]
    for name in subjects:
        require_subject(name)
    if twice := [name for name in subjects if subjects.count(name) > 1]:
        raise InputError(f"--on names '{twice[0]}' twice")
    return subjects


def measured(
    workload: str, subjects: Sequence[str], options: dict[str, Any], times: bool = True
) -> Any:
    """The Comparison of the subjects on a workload; `times`: also how fast they are."""
    from allocsim.benchmark.comparison import Conditions, compare
    from allocsim.benchmark.event_file import write_events
    from allocsim.cli.progress import warm_up
    from allocsim.driver import Touch
    from allocsim.player import NEVER
    from allocsim.workloads import open_workload

    conditions = Conditions(
        runs=options["runs"],
        warmup=options["warmup"],
        touch=Touch[options["touch"].upper()],
        timeout=options["timeout"],
        limit=NEVER if options["limit"] is None else options["limit"],
        reserve=options["reserve"],
        keep_settings=options["keep_settings"],
        timed=times,
    )
    read = open_workload(workload, options["seed"], options["form"], options["process"])
    if sys.stderr.isatty():
        warm_up(read)
    recorded = write_events(read)
    try:
        if not recorded.events:
            raise InputError(f"{workload}: it holds no event, so there is nothing to measure")
        for note in recorded.trace.notes:
            log(f"note: {note}")
        return compare(recorded, subjects, conditions, _watch)
    finally:
        recorded.close()


def _watch(subject: str, measure: str) -> None:
    """Say on a terminal what is being measured."""
    if sys.stderr.isatty():
        log(f"measuring {subject}: {measure}")
