"""`allocsim compare`."""

from __future__ import annotations

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
from allocsim.cli.options import require_writable
from allocsim.cli.output import export

_FILE = click.Path(dir_okay=False)


@click.command("compare")
@click.argument(
    "names",
    metavar="WORKLOAD | A.json B.json",
    nargs=-1,
    required=True,
    shell_complete=complete_workload,
)
@measuring_options
@click.option(
    "--reference",
    help="Allocator that counts as 1.00 in the columns `rel.`; by default the first.",
)
@click.option(
    "--sort",
    metavar="COLUMN",
    shell_complete=complete_column,
    help="Sort by a column of the table or of the CSV: peak, ns/event, kept or another.",
)
@tolerance_options
@click.option("--json", is_flag=True, help="Print the result as one JSON object.")
@click.option("--export-json", type=_FILE, help="Write the result as JSON to a file.")
@click.option("--export-csv", type=_FILE, help="Write a row for each allocator to a CSV file.")
@click.option("--export-markdown", type=_FILE, help="Write the table as Markdown to a file.")
def command(names: tuple[str, ...], **options: Any) -> None:
    """Compare designs and installed malloc libraries.

    WORKLOAD is a trace, a job file or a bundled workload. It is replayed on each allocator in fresh
    processes; `allocsim help comparing` says how the figures are measured.

    With two results that --export-json has written, compares B with A and fails (exit 1) if an
    allocator is worse in B by more than the tolerance.
    """
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


def _compare(workload: str, options: dict[str, Any]) -> None:
    """Measure the subjects and report."""
    exports = [options[f"export_{form}"] for form in ("json", "csv", "markdown")]
    require_writable([path for path in exports if path is not None])
    from allocsim.cli.drive import command_line
    from allocsim.cli.measure_options import measure, subjects_of
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
    comparison = measure(workload, subjects, options)
    shown = Compared(comparison, reference, options["sort"], command_line())
    texts = (comparison_json, comparison_csv, comparison_markdown)
    export([(path, partial(text, shown)) for path, text in zip(exports, texts, strict=True)])
    if options["json"]:
        click.echo(comparison_json(shown))
    else:
        print_comparison(shown)
