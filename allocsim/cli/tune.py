"""`allocsim tune`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import click

from allocsim.cli.completion import complete_design, complete_workload
from allocsim.cli.options import DEFAULT_RESERVE, recording_options, threads_option
from allocsim.cli.output import export
from allocsim.cli.output_files import OutputType, require_outputs
from allocsim.cli.types import CountType, FloorType, SecondsType, SettingType, SizeType


@click.command("tune")
@click.argument(
    "names", metavar="WORKLOAD...", nargs=-1, required=True, shell_complete=complete_workload
)
@click.option(
    "--design",
    metavar="NAME",
    required=True,
    shell_complete=complete_design,
    help="Design whose table of size classes is tuned: tcmalloc or go.",
)
@click.option(
    "--hold-back",
    metavar="WORKLOAD",
    multiple=True,
    shell_complete=complete_workload,
    help="Replay this workload under the new table, but do not tune for it. May be repeated. "
    "Without this option, if there are several workloads, each in turn is left out of the tuning.",
)
@click.option(
    "--floor",
    type=FloorType(),
    metavar="PERCENT|none",
    default="25%",
    show_default=True,
    help="Maximum rounding of an object, as a share of its allocated size. Rounding of up to 15 "
    "bytes is always allowed. The limit applies to all sizes, also to those that the workloads do "
    "not request.",
)
@click.option(
    "--time",
    "seconds",
    type=SecondsType(),
    metavar="SECONDS",
    help="Time of an additional search, which changes classes of the table at random and replays "
    "the workloads. Ctrl-C ends the search and keeps the best table so far.",
)
@click.option("--seed", type=CountType(0, 2**62), default=1, show_default=True, help="Random seed.")
@click.option(
    "--scale",
    metavar="K",
    type=CountType(1, 1000),
    default=1,
    help="Make every call K times, to simulate a heap K times as large.",
)
@threads_option
@click.option(
    "--set",
    type=SettingType(),
    multiple=True,
    help="Set a parameter of the design. Defaults for tune: startup=none for tcmalloc, direct=1 "
    "for go.",
)
@click.option(
    "--reserve",
    type=SizeType(),
    default=DEFAULT_RESERVE,
    show_default="64GiB",
    help="Address space reserved for each heap, which cannot grow beyond it.",
)
@click.option(
    "--source", is_flag=True, help="Print only the table, as source text for gperftools or Go."
)
@click.option("--json", is_flag=True, help="Print the result as one JSON object.")
@click.option(
    "--out",
    type=OutputType(),
    metavar="FILE",
    help="Write the table to a JSON file, which --set size_classes=FILE reads.",
)
@recording_options
def command(names: tuple[str, ...], **options: Any) -> None:
    """Find the best table of size classes for given workloads.

    WORKLOAD is a trace, a job file or a bundled workload. The workloads are replayed under the
    current table of the design, and under new tables. A new table minimises the bytes lost to
    rounding and at the ends of spans, plus a cost for each class in use. The best table is shown.
    It is recommended only if the gain in the replay is above noise, no footprint grows, and no
    workload that was left out of the tuning gets worse.
    """
    if options["source"] and options["json"]:
        raise click.UsageError("use either --source or --json, not both")
    require_outputs()
    from allocsim.cli.drive import command_line
    from allocsim.reports.tuning_screen import print_tuning
    from allocsim.reports.tuning_text import source_text, table_text, tuning_json

    tuning = _tuned(names, options)
    try:
        export([(options["out"], lambda: table_text(tuning))])
    finally:  # print the report even if a file cannot be written
        if options["json"]:
            click.echo(tuning_json(tuning, command_line()))
        elif options["source"]:
            click.echo(source_text(tuning))
        else:
            print_tuning(tuning)


def _tuned(names: tuple[str, ...], options: dict[str, Any]) -> Any:
    """Read the workloads and tune for them."""
    from allocsim.cli.tune_progress import TuneProgress
    from allocsim.designs import find_design
    from allocsim.libraries.find import require_no_library
    from allocsim.tuning.question import Question
    from allocsim.tuning.tuning import tune
    from allocsim.workloads import expect_kernels

    require_no_library(options["design"])
    find_design(options["design"])
    floor = None if options["floor"] == "none" else options["floor"]
    expect_kernels(None, [options["design"]])
    question = Question(options["design"], dict(options["set"]), floor, options["reserve"])
    seconds = options["seconds"] or 0.0
    with ExitStack() as stack, TuneProgress(seconds) as progress:
        every = (*names, *options["hold_back"])
        opened = [stack.enter_context(_opened(name, options)) for name in every]
        read = [progress.read(trace, options["scale"]) for trace in opened]
        tuned, held_back = read[: len(names)], read[len(names) :]
        limits = (seconds, options["seed"])
        return tune(question, tuned, held_back, limits, (progress.say, progress.show_search))


def _opened(name: str, options: dict[str, Any]) -> Any:
    """Open a workload; with --threads one, all its events are on one thread."""
    from allocsim.events import on_one_thread
    from allocsim.workloads import open_workload

    trace = open_workload(name, None, options["form"], options["process"])
    return on_one_thread(trace) if options["threads"] == "one" else trace
