"""What a command tells the user beside its result and its errors: notes, what was written.

Below the commands. Its one rule: it goes to standard error, a line at a time.
"""

from __future__ import annotations

import codecs

import click

from allocsim.text import printable


def tell(line: str) -> None:
    """Print a line."""
    click.echo(printable(line), err=True)


HANDLER = "allocsim.plain"
"""The name of the way to write what an encoding lacks."""

_MARKS = {
    **dict(zip("▁▂▃▄▅▆▇█", ".:-=+*%#", strict=True)),
    **dict.fromkeys("▏▎▍▌▋▊▉", "|"),
    "·": "-",
    "…": "~",
}
"""Characters of the reports and what stands for each."""


def write_plainly() -> None:
    """Make HANDLER known."""
    codecs.register_error(HANDLER, _plain)


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What stands for the characters that cannot be written, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_MARKS.get(character, "?") for character in text), error.end
