"""`allocsim explain`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from allocsim.cli.completion import complete_subjects, complete_workload
from allocsim.cli.measure_options import keep_settings_option, require_not_given
from allocsim.cli.options import (
    DEFAULT_RESERVE,
    recording_options,
    threads_option,
    touch_option,
)
from allocsim.cli.output import export
from allocsim.cli.output_files import OutputType, require_outputs
from allocsim.cli.picture_options import (
    PICTURES,
    export_pictures,
    picture_options,
    require_renderer_for,
)
from allocsim.cli.types import CountType, MomentType, SecondsType, SizeType

EXPORTS = ("pprof", "collapsed")
"""The options that write a file for another program."""

FOR_ONE = ("no_what_if", *EXPORTS, "measure", *PICTURES, "map")
"""The parameters that apply to a single workload."""


@click.command("explain")
@click.argument(
    "names",
    metavar="WORKLOAD [WORKLOAD]",
    nargs=-1,
    required=True,
    shell_complete=complete_workload,
)
@click.option(
    "--on",
    metavar="SUBJECT",
    shell_complete=complete_subjects,
    help="Design or library, named as in `compare --on`. Default: the design `go` for a trace "
    "of Go's runtime, else lib:glibc, which most programs on Linux use.",
)
@click.option(
    "--at",
    type=MomentType(),
    metavar="MOMENT",
    default="worst",
    show_default=True,
    help="Moment to explain: peak, live-peak, worst (when footprint minus live bytes is largest), "
    "end, a number of events, a share of the events (50%), or a time since the first call (3.5s), "
    "if the recording has times.",
)
@click.option(
    "--by",
    metavar="A,B,...",
    help="Group the owners by site (call site), size, thread, age or lifetime; by default by site "
    "and size if the recording has call sites, else by size and lifetime.",
)
@click.option(
    "--what-if",
    "what_if",
    metavar="GROUP",
    multiple=True,
    help="Group to experiment with, named as in the tables. By default, the first group if there "
    "is one workload, and none if there are two. May be repeated.",
)
@click.option(
    "--seconds",
    type=SecondsType(),
    default=10.0,
    show_default=True,
    help="Start no new experiment after this time.",
)
@click.option("--no-what-if", is_flag=True, help="Make no experiments.")
@threads_option
@touch_option
@click.option(
    "--limit", type=SizeType(), help="Fail (exit 1) when the footprint exceeds this size."
)
@click.option(
    "--reserve",
    type=SizeType(),
    default=DEFAULT_RESERVE,
    show_default="64GiB",
    help="Address space reserved for a design's heap, which cannot grow beyond it.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=SecondsType(),
    default=600.0,
    show_default=True,
    help="Time limit of each process that replays on a library.",
)
@keep_settings_option
@click.option(
    "--seed", type=CountType(0, 2**62), help="Random seed; overrides the seed of a job file."
)
@recording_options
@click.option("--json", is_flag=True, help="Print the result as one JSON object, with all rows.")
@click.option(
    "--map",
    is_flag=True,
    help="Also show the footprint over time and a map of the heap, which takes another replay.",
)
@picture_options
@click.option(
    "--pprof",
    type=OutputType(),
    help="Write the owners by stack as a profile for pprof (`go tool pprof`, speedscope).",
)
@click.option(
    "--collapsed",
    type=OutputType(),
    help="Write the owners by stack as collapsed stacks (flamegraph.pl, speedscope).",
)
@click.option(
    "--measure",
    type=click.Choice(["objects", "live", "rounding", "pinned", "owned"]),
    default="owned",
    show_default=True,
    help="Figure in --collapsed: `objects` is a number of objects, the other choices are bytes. "
    "With `owned`, the file also has the memory that no object owns, so the values sum to the "
    "footprint.",
)
def command(names: tuple[str, ...], **options: Any) -> None:
    """Show which objects own the footprint, and what would change it.

    WORKLOAD is a trace, a job file or a bundled workload. It is replayed up to the moment that
    --at names. Every object that is live at that moment owns its bytes, its rounding, and its share
    of the free bytes in the spans or pages that live objects keep in use. The rest of the footprint
    belongs to no object: caches, free memory, metadata. Each experiment replays the workload with
    one change and measures the footprint.

    Two workloads, such as recordings before and after an edit of a program, are compared: the
    output says how the footprint changed and which owners grew or shrank.
    """
    if names.count("-") > 1:
        raise click.UsageError("standard input can be read only once; give one workload as a file")
    if len(names) > 2:
        raise click.UsageError(f"expected one or two workloads; found {len(names)}")
    require_outputs()
    require_renderer_for(options)
    if len(names) == 2:
        require_not_given(*FOR_ONE, needs="a single workload")
        if not options["what_if"]:
            require_not_given("seconds", needs="a single workload, or --what-if")
        from allocsim.cli.explaining import explain_two

        explain_two(names, options)
        return
    if options["no_what_if"]:
        require_not_given("what_if", "seconds", needs="experiments; omit --no-what-if")
    if options["collapsed"] is None:
        require_not_given("measure", needs="--collapsed FILE")
    _explain_one(names[0], options)


def _explain_one(name: str, options: dict[str, Any]) -> None:
    """Explain a workload, write the files that the options name, and print the report."""
    from allocsim.cli.drive import command_line
    from allocsim.cli.explaining import explain_one
    from allocsim.reports.explanation_screen import print_explanation
    from allocsim.reports.explanation_text import explanation_json
    from allocsim.reports.heap_map_screen import print_history

    explanation, trace = explain_one(name, options)
    try:
        _export(explanation, trace.name, options)
        export_pictures(options, partial(_page, explanation, trace))
    finally:  # print the report even if a file cannot be written
        if options["json"]:
            click.echo(explanation_json(explanation, trace, command_line()))
        else:
            print_explanation(explanation, trace.name)
            if explanation.evidence is not None and options["map"]:
                print_history(explanation.evidence, trace.times)


def _export(explanation: Any, workload: str, options: dict[str, Any]) -> None:
    """Write the owners by stack to the files that --pprof and --collapsed name."""
    from allocsim.reports.collapsed_stacks import collapsed_stacks
    from allocsim.reports.pprof import pprof_profile

    export(
        [
            (options["pprof"], lambda: pprof_profile(explanation, workload)),
            (
                options["collapsed"],
                lambda: collapsed_stacks(explanation.stacks, options["measure"]),
            ),
        ]
    )


def _page(explanation: Any, trace: Any) -> Any:
    """Return the page with the pictures of an explanation."""
    from allocsim.cli.drive import command_line
    from allocsim.pictures.explanation_page import Shown, explanation_page

    return explanation_page(Shown(explanation, trace, command_line()))
