"""What is written where the locale has no more than ASCII: marks that still say how high and long.

Used by the command line for both output streams. Its one rule: what a stream can write is written
as it is.
"""

from __future__ import annotations

import codecs

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
