"""`allocsim sizeclass-check`."""

from __future__ import annotations

import click

from allocsim.cli.options import design_option
from allocsim.cli.types import SettingType


@click.command("sizeclass-check")
@design_option
@click.option(
    "--set",
    type=SettingType(),
    multiple=True,
    help="Set a parameter of the design.",
)
@click.option("--json", is_flag=True, help="Print the table as one JSON object.")
def command(
    design: str | None,
    set: tuple[tuple[str, int | str], ...],  # noqa: A002
    json: bool,
) -> None:
    """Check the size classes of a design and show their waste.

    Every size up to the largest class must map to the smallest class that fits. Each of the 4,096
    sizes above the largest class must map to no class. If a size breaks this rule, the command
    fails (exit 1) and names the size. Go's first malloc has the same check: testsizetoclass. For a
    design without size classes, the command says how that design rounds sizes.
    """
    from allocsim.core import compile_notice
    from allocsim.designs import DEFAULT, find_design
    from allocsim.errors import CheckFailed
    from allocsim.reports.size_classes import (
        classes_json,
        no_classes_json,
        no_classes_text,
        print_classes,
    )

    design = design or DEFAULT
    chosen = find_design(design)
    if chosen.instead_of_classes:
        chosen.checked(dict(set))
        click.echo(no_classes_json(chosen) if json else no_classes_text(chosen))
        return
    with compile_notice.without_replay():
        table = chosen.table(chosen.checked(dict(set)))
        mismatches = list(table.mismatches())
    if mismatches:
        more = f" (and {len(mismatches) - 1} more)" if len(mismatches) > 1 else ""
        raise CheckFailed(f"{design}: {mismatches[0]}{more}")
    if json:
        click.echo(classes_json(design, table))
    else:
        print_classes(design, table)
