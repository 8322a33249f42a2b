"""Output to standard error and to files, and replacements for characters that cannot be encoded.

Standard output carries the result and nothing else; every other line goes to standard error.
"""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Callable, Iterable

import click

from allocsim.text import printable

ASCII_FALLBACK = "allocsim.ascii"
"""The name of the codec error handler that `register_ascii_fallback` registers."""

_SUBSTITUTES = {
    **dict(zip("▁▂▃▄▅▆▇█", ".:-=+*%#", strict=True)),
    **dict.fromkeys("▏▎▍▌▋▊▉", "|"),
    **dict.fromkeys("─━", "-"),
    "·": "-",
    "…": "~",
}
"""ASCII replacements for the characters with which the reports draw."""


def log(line: str) -> None:
    """Print a line to standard error: a note, a warning or the name of a file that was written.

    If standard error cannot be written, the line is lost and the run goes on.
    """
    with contextlib.suppress(OSError):
        click.echo(printable(line), err=True)


def export(paths: Iterable[tuple[str | None, Callable[[], str | bytes]]]) -> None:
    """Write files, each given by a path and a function that returns the content.

    If the path is None, the function is not called.
    """
    from pathlib import Path  # importing it at the top would add 3 ms to --help

    from allocsim.reports.run_text import write_file

    for path, make in paths:
        if path is not None:
            content = make()
            if isinstance(content, str) and not content.endswith("\n"):
                content += "\n"
            write_file(Path(path), content)
            log(f"wrote {path}")


def register_ascii_fallback() -> None:
    """Register ASCII_FALLBACK, so that streams can use it."""
    codecs.register_error(ASCII_FALLBACK, _substitute)


def _substitute(error: UnicodeError) -> tuple[str, int]:
    """Return ASCII for the characters that cannot be encoded, and the position after them."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end]
    return "".join(_SUBSTITUTES.get(character, "?") for character in text), error.end
