"""`allocsim sizeclass-check`."""

from __future__ import annotations

import click

from allocsim.cli.types import SettingType


@click.command("sizeclass-check")
@click.option("--design", default="go2008", show_default=True, help="The allocator's design.")
@click.option("--set", type=SettingType(), multiple=True, help="A parameter of the design.")
@click.option("--json", is_flag=True, help="Print the table as one JSON object.")
def command(design: str, set: tuple[tuple[str, int | str], ...], json: bool) -> None:  # noqa: A002
    """Take every size through the class table, both ways, and show its waste.

    Each size from 0 to beyond the largest class must map to the smallest class that holds it, and
    each class to itself; the first mismatch is named (exit 1). This is testsizetoclass of Go's
    first malloc.
    """
    from allocsim.designs import find_design
    from allocsim.errors import CheckFailed
    from allocsim.reports.size_classes import print_classes, print_classes_as_json

    found = find_design(design)
    table = found.table(found.checked(dict(set)))
    mismatches = list(table.mismatches())
    if mismatches:
        more = f" (and {len(mismatches) - 1} more)" if len(mismatches) > 1 else ""
        raise CheckFailed(f"{design}: {mismatches[0]}{more}")
    (print_classes_as_json if json else print_classes)(design, table)
