"""`allocsim sweep`, and `allocsim sweep show`."""

from __future__ import annotations

from typing import Any

import click

from allocsim.cli.completion import complete_subjects, complete_workload
from allocsim.cli.measure_options import (
    reserve_option,
    runs_option,
    threads_option,
    timeout_option,
    warmup_option,
)
from allocsim.cli.output_files import OutputType
from allocsim.cli.sweep_show import command as show
from allocsim.cli.sweep_show import report_options
from allocsim.cli.types import CountType, SizeType

TOUCHES = ("none", "first", "page", "full")


class SweepCommand(click.Command):
    """The command `sweep`, or `sweep show` if the first argument is `show`."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,
    ) -> click.Context:
        """Return the context of `sweep` or of `sweep show`."""
        if args[:1] == ["show"]:
            show.context_class = self.context_class
            return show.make_context("sweep show", args[1:], parent, **extra)
        return super().make_context(info_name, args, parent, **extra)


_MEASURING = (
    click.option(
        "--seed",
        metavar="N,M,...",
        help="Random seeds; a generated workload is measured with each of them.",
    ),
    click.option(
        "--touch",
        metavar="A,B,...",
        default="page",
        show_default=True,
        help="Bytes written in a new object: none, first (the first byte), page (one byte in each "
        "page) or full (all bytes). Every combination of workload and allocator is measured with "
        "each value.",
    ),
    threads_option,
    click.option("--timed", is_flag=True, help="Measure times too, one cell at a time."),
    runs_option,
    warmup_option,
    timeout_option,
    click.option(
        "--limit", type=SizeType(), help="A cell fails if its footprint exceeds this size."
    ),
    reserve_option,
)


def _measuring(command: Any) -> Any:
    """Give a command the options that say how cells are measured."""
    for option in reversed(_MEASURING):
        command = option(command)
    return command


@click.command("sweep", cls=SweepCommand)
@click.argument(
    "workloads", metavar="WORKLOAD...", nargs=-1, required=True, shell_complete=complete_workload
)
@click.option(
    "--on",
    metavar="A,B,...",
    multiple=True,
    required=True,
    shell_complete=complete_subjects,
    help="Designs and libraries, as for `allocsim compare`. May be repeated.",
)
@click.option(
    "-L",
    "--parameter-list",
    "lists",
    metavar="KEY=A,B,...",
    multiple=True,
    help="Values of a setting; `default` means not to set it. KEY=A,B applies to every "
    "allocator with this setting; lib:glibc:KEY=A,B applies only to lib:glibc. May be repeated.",
)
@click.option(
    "-P",
    "--parameter-scan",
    "ranges",
    metavar="KEY=LOW:HIGH:STEP",
    multiple=True,
    help="A range of values, up to HIGH; the step x2 doubles the value. May be repeated.",
)
@_measuring
@click.option("--plan", is_flag=True, help="Show the grid, its size and a time estimate, and exit.")
@click.option(
    "--out",
    metavar="FILE",
    type=OutputType(),
    default="sweep.jsonl",
    show_default=True,
    help="File to which each result is appended, in the current directory by default. Cells that "
    "are already in the file are not measured again.",
)
@click.option("--retry", is_flag=True, help="Measure again the cells that failed.")
@click.option(
    "--jobs",
    metavar="N",
    type=CountType(1, 1024),
    help="Number of cells to measure at once; by default the number of processors.",
)
@click.option(
    "--cluster",
    metavar="tcp://HOST:PORT",
    help="Run the cells on the workers of a Dask scheduler; needs allocsim[cluster].",
)
@report_options
def command(**options: Any) -> None:
    """Measure a grid of allocators, settings and workloads, and find the best.

    Each combination is a cell. Memory is measured in as many cells at once as there are processors.
    Times are measured only with --timed, in one cell at a time. Each result is appended to a file,
    so the same command continues an interrupted sweep, and `allocsim sweep show FILE` shows the
    findings of a file again.

    For example, `--on lib:jemalloc -L dirty_decay_ms=default,0,1000` measures 3 settings, and
    `--on tcmalloc -P max_total_thread_cache_bytes=512KiB:64MiB:x2` measures 8.
    """
    from allocsim.cli.sweep_run import run

    run(options)
