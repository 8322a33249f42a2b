"""`allocsim sweep show`, and the report options that it shares with `allocsim sweep`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import click

from allocsim.cli.completion import complete_file
from allocsim.cli.output_files import OutputType, require_outputs
from allocsim.cli.picture_options import export_pictures, picture_options, require_renderer_for
from allocsim.cli.types import CountType

if TYPE_CHECKING:
    from allocsim.sweep.results import Results

_OPTIONS = (
    click.option("--top", metavar="N", type=CountType(1), default=10, show_default=True,
                 help="Number of subjects (allocators with settings) in each table."),
    click.option("--json", is_flag=True, help="Print the findings as one JSON object."),
    click.option("--export-csv", type=OutputType(), help="Write the rows to a CSV file."),
    click.option("--export-parquet", type=OutputType(),
                 help="Write the rows to a Parquet file; needs allocsim[parquet]."),
    picture_options,
)  # fmt: skip


def report_options(command: Any) -> Any:
    """Give a command the options for the report of a sweep."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("show")
@click.argument(
    "file", metavar="FILE", type=click.Path(dir_okay=False), shell_complete=complete_file
)
@report_options
def command(file: str, **options: Any) -> None:
    """Show the findings of a sweep from its file of rows, without measuring again."""
    require_exports(options)
    from pathlib import Path

    from allocsim.errors import InputError
    from allocsim.sweep.results import collect
    from allocsim.sweep.rows_file import read_rows

    results = collect(read_rows(Path(file)))
    if not results.columns:
        raise InputError(f"'{file}' has no rows")
    report(results, file, options)


def require_exports(options: dict[str, Any], rows: str | None = None) -> None:
    """Raise an error if an export, or the file `rows` of a sweep, cannot be written."""
    require_outputs(extended=rows)
    if options["export_parquet"] is not None:
        from allocsim.traces.writers.parquet import require_pyarrow

        require_pyarrow()
    require_renderer_for(options)


def report(results: Results, file: str, options: dict[str, Any]) -> None:
    """Write the exports, and print the findings."""
    from pathlib import Path

    from allocsim.cli.drive import command_line
    from allocsim.cli.output import export, log
    from allocsim.reports.sweep_parquet import write_rows_parquet
    from allocsim.reports.sweep_screen import print_sweep
    from allocsim.reports.sweep_text import rows_csv, sweep_json
    from allocsim.sweep.rows_file import read_rows

    try:
        export([(options["export_csv"], lambda: rows_csv(read_rows(Path(file))))])
        if options["export_parquet"] is not None:
            write_rows_parquet(read_rows(Path(file)), Path(options["export_parquet"]))
            log(f"wrote {options['export_parquet']}")
        export_pictures(options, partial(_page, results, file))
    finally:  # print the report even if a file cannot be written
        if options["json"]:
            click.echo(sweep_json(results, command_line()))
        else:
            print_sweep(results, options["top"])


def _page(results: Results, file: str) -> Any:
    """Return the page of a sweep."""
    from allocsim.cli.drive import command_line
    from allocsim.pictures.sweep_page import sweep_page

    return sweep_page(results, file, command_line())
