"""What a command tells the user beside its result and its errors: notes, what was written.

Below the commands. Its one rule: it goes to standard error, a line at a time.
"""

from __future__ import annotations

import click

from allocsim.printable import printable


def tell(line: str) -> None:
    """Print a line."""
    click.echo(printable(line), err=True)
