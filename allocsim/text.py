"""Formatting of sizes and counts, and text that is safe to print."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping
from typing import Any

MAX_SHOWN = 80
"""Maximum characters of a wrong value in a message."""

MAX_MESSAGE = 4000
"""Maximum characters of a message."""

MAX_DECIMALS = 13
"""Maximum decimals of a figure in a message: enough to show one byte, 0.0000000000009 TiB."""

LONG_WORD = 300
"""A word of at least this many characters is shortened in a message. The name of a file has at most
255 bytes, so a name is shortened only if escapes make it longer (see `printable`)."""

_LONG_NAME = re.compile(rf"[^\s/]{{{LONG_WORD},}}")


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: "1 event", "82,717 events", "2 size classes"."""
    ending = "es" if noun.endswith("s") else "s"
    return f"{count:,} {noun}{'' if count == 1 else ending}"


def reasons_text(counts: Mapping[str, int]) -> str:
    """Return reasons with their counts, as in "free of NULL (158), overlap (2)"."""
    return ", ".join(f"{reason} ({count:,})" for reason, count in counts.items())


def format_bytes(count: float, decimals: int = 1) -> str:
    """Return a number of bytes as text with a binary unit, such as "111.0 MiB"."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.{decimals}f} {unit}"
        size /= 1024
    return f"{size:,.{decimals}f} TiB"


def distinct(format_value: Callable[[float, int], str], *values: float) -> list[str]:
    """Return the texts of values, with enough decimals that different values have different texts.

    `format_value` is called with a value and a number of decimals, at least one and at most
    MAX_DECIMALS.
    """
    for decimals in range(1, MAX_DECIMALS):
        texts = [format_value(value, decimals) for value in values]
        if len(set(texts)) == len(set(values)):
            return texts
    return [format_value(value, MAX_DECIMALS) for value in values]


def distinct_bytes(*sizes: float) -> list[str]:
    """Return sizes as `format_bytes` does, but so that different sizes have different texts."""
    return distinct(format_bytes, *sizes)


def format_change(count: int) -> str:
    """Return a change in bytes as text with its sign: "-1.5 MiB"."""
    return f"{'-' if count < 0 else '+'}{format_bytes(abs(count))}"


def integer_text(number: int) -> str:
    """Return an integer as text; if it has more than 128 bits, in hexadecimal and shortened.

    Python refuses to convert a number with more than 4,300 decimal digits.
    """
    return str(number) if number.bit_length() <= 128 else f"{number:#x}"[:20] + "…"


def object_repr(value: object) -> str:
    """Return the repr of any object, or a substitute if repr() fails, as for a huge integer."""
    try:
        return repr(value)
    except Exception:  # a __repr__ of the caller's own class can raise any error
        return object.__repr__(value)


def object_text(value: object) -> str:
    """Return a value of any type, shortened, and its type, for a message of one line."""
    text = printable(object_repr(value))  # the repr of an array of NumPy has several lines
    return f"{text if len(text) <= 40 else text[:40] + '...'} ({type(value).__name__})"


def shortened(text: str) -> str:
    """Return at most the first MAX_SHOWN characters of a text; "…" marks that it was cut."""
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def with_short_names(message: str) -> str:
    """Return a message in which every word that is too long for a file name is shortened.

    A message repeats the value that is wrong, and a user's value may have any length. If the
    message is still too long, its middle is cut, because the remedy is at the end.
    """
    short = _LONG_NAME.sub(lambda found: shortened(found[0]), message)
    half = MAX_MESSAGE // 2
    return short if len(short) <= MAX_MESSAGE else f"{short[:half]}…{short[-half:]}"


def printable(text: str) -> str:
    """Return the text with non-printable characters escaped as in a Python string."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


def encodable(value: Any) -> Any:
    """Return a copy of data for JSON in which every text can be written in UTF-8.

    If a byte of a file name or of an argument is not UTF-8, Python decodes the byte as half a
    surrogate pair. UTF-8 cannot encode this half, so it is escaped as in a Python string.
    """
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    if isinstance(value, dict):
        return {encodable(key): encodable(each) for key, each in value.items()}
    return [encodable(each) for each in value] if isinstance(value, list | tuple) else value


def shell_argument(path: str) -> str:
    """Return a path as an argument of a command that a message suggests.

    A user may paste the command, and a downloaded file can have any name. The path is therefore
    quoted for a shell, and is not taken for an option. FILE is returned instead of a long path,
    because the message might be shortened within the quotes (see `with_short_names`), and instead
    of a path that is not printable, because the message would escape the path.
    """
    quoted = shlex.quote(f"./{path}" if path.startswith("-") else path)
    return quoted if path.isprintable() and len(quoted) < LONG_WORD - 10 else "FILE"


def printable_lines(text: str) -> str:
    """Return a text of several lines with the non-printable characters of each line escaped."""
    return "\n".join(map(printable, text.expandtabs(4).split("\n")))
