"""`allocsim compare`."""

from __future__ import annotations

from functools import partial
from typing import Any

import click
from click.core import ParameterSource

from allocsim.cli.measure_options import measuring_options, tolerance_options
from allocsim.cli.options import require_writable
from allocsim.cli.output import export

_FILE = click.Path(dir_okay=False)


@click.command("compare")
@click.argument("names", metavar="WORKLOAD | A.json B.json", nargs=-1, required=True)
@measuring_options
@click.option("--reference", help="The subject that is 1.00; without it the first.")
@click.option("--sort", metavar="COLUMN", help="As in footprint, kept, ns; see the CSV's head.")
@tolerance_options
@click.option("--json", is_flag=True, help="Print the result as one JSON object.")
@click.option("--export-json", type=_FILE, help="Write the result as JSON to a file.")
@click.option("--export-csv", type=_FILE, help="Write a row for each subject to a file.")
@click.option("--export-markdown", type=_FILE, help="Write the table as Markdown to a file.")
def command(names: tuple[str, ...], **options: Any) -> None:
    """Put designs and the malloc libraries of this machine side by side.

    WORKLOAD is a trace, a job file, or a shipped workload. Two saved results are compared row by
    row, and it is a failure (exit 1) if B is worse than A by more than the tolerance.
    """
    if len(names) == 2:
        _require_no_measuring()
        from allocsim.cli.thresholds import compare_saved

        compare_saved(*names, options)
    elif len(names) == 1:
        _compare(names[0], options)
    else:
        raise click.UsageError(f"{len(names)} names: expected one WORKLOAD, or A.json B.json")


FOR_RESULTS = ("names", "tolerance", "time_tolerance", "json")
"""What may be said of two saved results."""


def _require_no_measuring() -> None:
    """A usage error for an option that says how to measure, where nothing is measured."""
    context = click.get_current_context()
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") == ParameterSource.COMMANDLINE
        if given and option.name not in FOR_RESULTS:
            raise click.UsageError(f"{option.opts[0]} is for a WORKLOAD that is measured")


def _compare(workload: str, options: dict[str, Any]) -> None:
    """Measure the subjects and report."""
    exports = [options[f"export_{form}"] for form in ("json", "csv", "markdown")]
    require_writable([path for path in exports if path is not None])
    from allocsim.cli.drive import command_line
    from allocsim.cli.measure_options import measured, subjects_of
    from allocsim.errors import UnknownName
    from allocsim.reports.comparison import Compared, column_of
    from allocsim.reports.comparison_screen import print_comparison
    from allocsim.reports.comparison_text import (
        comparison_csv,
        comparison_json,
        comparison_markdown,
    )

    subjects = subjects_of(options["on"])
    reference = options["reference"] or subjects[0]
    if reference not in subjects:
        raise UnknownName("subject for --reference", reference, subjects)
    if options["sort"]:
        column_of(options["sort"])
    comparison = measured(workload, subjects, options)
    shown = Compared(comparison, reference, options["sort"], command_line())
    texts = (comparison_json, comparison_csv, comparison_markdown)
    export([(path, partial(text, shown)) for path, text in zip(exports, texts, strict=True)])
    if options["json"]:
        click.echo(comparison_json(shown))
    else:
        print_comparison(shown)
