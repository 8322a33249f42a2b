"""Options of `compare` and `check` that select what is measured, and functions that measure.

Options are checked first, because reading the workload may take minutes.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from allocsim.cli.completion import complete_subjects
from allocsim.cli.options import DEFAULT_RESERVE, recording_options, touch_option
from allocsim.cli.output import log
from allocsim.cli.types import CountType, PercentType, SecondsType, SizeType

if TYPE_CHECKING:
    from allocsim.benchmark.comparison import Conditions
    from allocsim.events import Trace
    from allocsim.recorders.program import Program

Command = TypeVar("Command", bound=Callable[..., Any])

runs_option = click.option(
    "--runs",
    type=CountType(1, 1000),
    default=5,
    show_default=True,
    help="Number of timed runs.",
)
warmup_option = click.option(
    "--warmup",
    type=CountType(0, 1000),
    default=1,
    show_default=True,
    help="Number of untimed runs before the timed runs, in the same process.",
)
threads_option = click.option(
    "--threads",
    type=click.Choice(["recorded", "one"]),
    default="recorded",
    show_default=True,
    help="Replay a workload on its recorded threads, or on one thread. Designs are timed "
    "on one thread only.",
)
timeout_option = click.option(
    "--timeout",
    metavar="SECONDS",
    type=SecondsType(),
    default=600.0,
    show_default=True,
    help="Time limit of each process that measures an allocator.",
)
reserve_option = click.option(
    "--reserve",
    type=SizeType(),
    default=DEFAULT_RESERVE,
    show_default="64GiB",
    help="Address space reserved for a design's heap, which cannot grow beyond it. It uses no "
    "memory until the heap grows.",
)
keep_settings_option = click.option(
    "--keep-settings",
    is_flag=True,
    help="Keep LD_PRELOAD and the variables of malloc libraries, such as MALLOC_CONF, "
    "GLIBC_TUNABLES and MIMALLOC_*.",
)

_OPTIONS = (
    click.option(
        "--on",
        metavar="A,B,...",
        multiple=True,
        shell_complete=complete_subjects,
        help="Designs and libraries to measure: go2008, tcmalloc:release_rate=10, lib:glibc, "
        "lib:/a/libx.so:x_ (x_ is the prefix of the library's function names). May be repeated.",
    ),
    runs_option,
    warmup_option,
    threads_option,
    touch_option,
    click.option(
        "--pace",
        type=click.Choice(["full", "recorded"]),
        default="full",
        show_default=True,
        help="full: replay as fast as possible; a library that releases memory after a delay reads "
        "the recorded time from a virtual clock. recorded: measure memory at the recorded pace, "
        "and times at full speed.",
    ),
    timeout_option,
    click.option(
        "--limit",
        type=SizeType(),
        help="Stop measuring an allocator when its footprint exceeds this size; by default, 75% of "
        "the available memory.",
    ),
    reserve_option,
    click.option(
        "--seed", type=CountType(0, 2**62), help="Random seed; overrides the seed of a job file."
    ),
    keep_settings_option,
)


_TOLERANCES = (
    click.option(
        "--tolerance",
        type=PercentType(10_000),
        default="3%",
        show_default=True,
        help="Allowed regression against the baseline.",
    ),
    click.option(
        "--time-tolerance",
        type=PercentType(10_000),
        help="Allowed regression of times; without this option, times are not compared.",
    ),
)


def tolerance_options(command: Command) -> Command:
    """Give a command the options for the allowed regression."""
    for option in reversed(_TOLERANCES):
        option(command)
    return command


def measuring_options(command: Command) -> Command:
    """Give a command the options that select what is measured, and how."""
    for option in (recording_options, *reversed(_OPTIONS)):
        option(command)
    return command


def require_not_measuring(for_results: Sequence[str]) -> None:
    """Raise a usage error if an option that does not apply to saved results is given.

    `for_results` names the parameters that apply to saved results.
    """
    names = [option.name or "" for option in click.get_current_context().command.params]
    measuring = [name for name in names if name not in for_results]
    require_not_given(*measuring, needs="a WORKLOAD, and does not apply to saved results")


def require_not_given(*names: str, needs: str) -> None:
    """Raise a usage error if one of the parameters is on the command line.

    The message is "OPTION needs `needs`".
    """
    context = click.get_current_context()
    for option in context.command.params:
        is_given = context.get_parameter_source(option.name or "") == ParameterSource.COMMANDLINE
        if is_given and option.name in names:
            raise click.UsageError(f"{option.opts[0]} needs {needs}")


def subjects_of(lists: Sequence[str], only_libraries: bool = False) -> list[str]:
    """Return the subjects that --on names, or all bundled designs and installed libraries.

    With `only_libraries`, designs are subjects only if --on names them.
    """
    from allocsim.benchmark.subject import choose_subjects, library_of

    subjects = choose_subjects([name for text in lists for name in text.split(",")] or None)
    if lists or not only_libraries:
        return subjects
    return [subject for subject in subjects if library_of(subject) is not None]


def measure(
    workload: str, subjects: Sequence[str], options: dict[str, Any], times: bool = True
) -> Any:
    """Measure the subjects on a workload; measure times too if `times`. Returns the Comparison.

    If `subjects` is empty, the default design for the workload is measured.
    """
    from allocsim.benchmark.comparison import compare_trace
    from allocsim.workloads import default_design, open_workload

    trace = open_workload(workload, options["seed"], options["form"], options["process"])
    if not subjects:
        subjects = [default_design(trace)]
        log(f"note: measured on {subjects[0]}; --on selects other allocators")
    read = partial(_log_notes, set(), trace)
    return compare_trace(trace, subjects, _conditions(options, times), _watch, read)


def measure_program(program: Program, subjects: Sequence[str], options: dict[str, Any]) -> Any:
    """Record a program, measure the subjects and the program, and return the Comparison."""
    from allocsim.real_runs.comparison import ProgramConditions, compare_program

    conditions = ProgramConditions(
        options["real_runs"], options["ignore_failure"], options["show_output"]
    )
    read = partial(_log_notes, set())
    return compare_program(program, subjects, conditions, _conditions(options), _watch, read)


def _conditions(options: dict[str, Any], times: bool = True) -> Conditions:
    """Return the conditions that the options set. `times`: whether to measure times too."""
    from allocsim.benchmark.comparison import Conditions
    from allocsim.driver import Touch

    return Conditions(
        runs=options["runs"],
        warmup=options["warmup"],
        touch=Touch[options["touch"].upper()],
        timeout=options["timeout"],
        limit=options["limit"],
        reserve=options["reserve"],
        recorded=options["threads"] == "recorded",
        paced=options["pace"] == "recorded",
        keep_settings=options["keep_settings"],
        timed=times,
    )


def _log_notes(logged: set[str], trace: Trace) -> None:
    """Print the notes on a workload that are not in `logged`, and add them to it."""
    for note in trace.notes:
        if note not in logged:
            log(f"note: {note}")
    logged.update(trace.notes)


def _watch(subject: str, measure: str) -> None:
    """Print the name of the allocator that is being measured, if stderr is a terminal."""
    if sys.stderr.isatty():
        log(f"measuring {subject}: {measure}")
