"""`allocsim compare`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from allocsim.cli.completion import complete_column, complete_workload
from allocsim.cli.measure_options import (
    measuring_options,
    require_not_given,
    require_not_measuring,
    tolerance_options,
)
from allocsim.cli.output import export
from allocsim.cli.output_files import OutputType, require_outputs
from allocsim.cli.picture_options import export_pictures, picture_options, require_renderer_for
from allocsim.cli.types import CountType


class ProgramCommand(click.Command):
    """A command that takes the words after `--` as the command line of a program."""

    def parse_args(self, context: click.Context, words: list[str]) -> list[str]:
        """Keep the words after the first `--` in `context.obj`, and parse the others."""
        if "--" in words:
            at = words.index("--")
            context.obj, words = words[at + 1 :], words[:at]
            if not context.obj:
                raise click.UsageError("no program after --")
        return super().parse_args(context, words)


@click.command("compare", cls=ProgramCommand)
@click.argument(
    "names",
    metavar="[WORKLOAD | A.json B.json | -- PROGRAM ARGS...]",
    nargs=-1,
    shell_complete=complete_workload,
)
@measuring_options
@click.option(
    "--reference",
    help="Allocator whose figures are 1.00 in the columns `rel.`; by default the first.",
)
@click.option(
    "--sort",
    metavar="COLUMN",
    shell_complete=complete_column,
    help="Sort by a column of the table or of the CSV, such as `peak`, `ns/event` or `kept`.",
)
@tolerance_options
@click.option(
    "--real-runs",
    type=CountType(0, 100),
    default=3,
    show_default=True,
    help="Number of runs of PROGRAM under each library. With 0, PROGRAM runs only to be recorded.",
)
@click.option(
    "--ignore-failure",
    is_flag=True,
    help="Compare even if PROGRAM exits with a status other than 0.",
)
@click.option("--show-output", is_flag=True, help="Show the output of PROGRAM, on standard error.")
@click.option("--json", is_flag=True, help="Print the result as one JSON object.")
@click.option("--export-json", type=OutputType(), help="Write the result as JSON to a file.")
@click.option(
    "--export-csv", type=OutputType(), help="Write a row for each allocator to a CSV file."
)
@click.option("--export-markdown", type=OutputType(), help="Write the table as Markdown to a file.")
@picture_options
@click.pass_obj
def command(program: list[str] | None, /, names: tuple[str, ...], **options: Any) -> None:
    """Compare designs and installed malloc libraries.

    PROGRAM is recorded, and then run --real-runs times with each library. A table shows the real
    peak, and the peak that a replay of the recording predicts. The output of PROGRAM is hidden. Its
    input is empty unless the standard input of this command is a file. Without --on, the installed
    libraries are compared.

    WORKLOAD is a trace, a job file or a bundled workload. It is replayed on each allocator in fresh
    processes; `allocsim help comparing` says how the figures are measured.

    Given two results that --export-json has written, the command compares B with A and fails
    (exit 1) if an allocator is worse in B by more than the tolerance.
    """
    if program is not None:
        if names:
            raise click.UsageError(f"expected either '{names[0]}' or a program after --, not both")
        require_not_given(*WITHOUT_PROGRAM, needs="a WORKLOAD or saved results, not a program")
        _compare_program(program, options)
        return
    require_not_given(*FOR_PROGRAM, needs="a program after --")
    if len(names) == 2:
        require_not_measuring(FOR_RESULTS)
        from allocsim.cli.thresholds import compare_saved

        compare_saved(*names, options)
    elif len(names) == 1:
        require_not_given("tolerance", "time_tolerance", needs="two results")
        _compare(names[0], options)
    else:
        raise click.UsageError(
            f"expected one WORKLOAD, or A.json B.json; found {len(names)} arguments"
        )


FOR_RESULTS = ("names", "tolerance", "time_tolerance", "json")
"""The parameters that apply to two saved results."""

FOR_PROGRAM = ("real_runs", "ignore_failure", "show_output")
"""The parameters that apply to a program."""

WITHOUT_PROGRAM = ("form", "process", "seed", "tolerance", "time_tolerance")
"""The parameters that do not apply to a program."""


def _compare_program(words: list[str], options: dict[str, Any]) -> None:
    """Record a program, run it under each library, and report."""
    from allocsim.cli.measure_options import measure_program
    from allocsim.recorders.program import find_program

    program = find_program(words)
    _require_outputs(options, program.file)
    _report(options, lambda subjects: measure_program(program, subjects, options), True)


def _compare(workload: str, options: dict[str, Any]) -> None:
    """Measure the subjects on a workload and report."""
    from allocsim.cli.measure_options import measure

    _require_outputs(options)
    _report(options, lambda subjects: measure(workload, subjects, options), False)


def _require_outputs(options: dict[str, Any], *inputs: str) -> None:
    """Raise an error if an output file cannot be written, or if it is also an input."""
    require_outputs(inputs=inputs)
    require_renderer_for(options)


def _report(
    options: dict[str, Any], measure: Callable[[list[str]], Any], only_libraries: bool
) -> None:
    """Choose the subjects, call `measure` with them, and report the comparison that it returns.

    Without --on, designs are subjects too, unless `only_libraries`. Raises EnvironmentLacks after
    the report if every subject failed. If there are several recordings, a subject that failed in
    one of them counts as failed.
    """
    from allocsim.cli.drive import command_line
    from allocsim.cli.measure_options import subjects_of
    from allocsim.errors import EnvironmentLacks, UnknownName
    from allocsim.reports.comparison import Compared, column_of
    from allocsim.reports.comparison_screen import print_comparison
    from allocsim.reports.comparison_text import (
        comparison_csv,
        comparison_json,
        comparison_markdown,
    )

    subjects = subjects_of(options["on"], only_libraries)
    reference = options["reference"] or subjects[0]
    if reference not in subjects:
        raise UnknownName("allocator for --reference", reference, subjects)
    if options["sort"]:
        column_of(options["sort"])
    comparison = measure(subjects)
    compared = Compared(comparison, reference, options["sort"], command_line())
    exports = [options[f"export_{form}"] for form in ("json", "csv", "markdown")]
    texts = (comparison_json, comparison_csv, comparison_markdown)
    try:
        export([(path, partial(text, compared)) for path, text in zip(exports, texts, strict=True)])
        export_pictures(options, partial(_page, compared))
    finally:  # print the report even if a file cannot be written
        if options["json"]:
            click.echo(comparison_json(compared))
        else:
            print_comparison(compared)
    if compared.reference is None:
        raise EnvironmentLacks("every allocator failed at least once; the report has the reasons")


def _page(compared: Any) -> Any:
    """Return the page of a comparison."""
    from allocsim.pictures.comparison_page import comparison_page

    return comparison_page(compared)
