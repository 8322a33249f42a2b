"""Parsing and formatting of sizes, counts and percentages, and text that is safe to print.

In a size, KiB, K and k mean 2**10 bytes, and kB means 10**3 bytes. M, G and T follow the same
pattern.
"""

from __future__ import annotations

import re

from allocsim.errors import InputError

MAX_SIZE = 1 << 47
"""The largest size accepted on the command line, in a job and in a trace. It is the size of the
user address space on x86-64."""

MIN_SECONDS, MAX_SECONDS = 0.1, 1e6
"""The shortest and the longest time limit that are accepted, in seconds."""

_BINARY = {letter: 1 << 10 * power for power, letter in enumerate("KMGT", start=1)}
_DECIMAL = {letter: 1000**power for power, letter in enumerate("KMGT", start=1)}
# The number of digits is limited, because int() takes long for a very long text.
_SIZE = re.compile(r"([0-9]{1,30}(?:\.[0-9]{1,30})?)\s*([kKMGT]?)(i?)(B?)")
_PERCENT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?%")
_FLOAT = re.compile(r"[+-]?(?:[0-9]{1,30}\.?[0-9]{0,30}|\.[0-9]{1,30})(?:[eE][+-]?[0-9]{1,4})?")

MAX_SHOWN = 80
"""Maximum characters of a wrong value in a message."""

MAX_MESSAGE = 4000
"""Maximum characters of a message."""

# The name of a file has at most 255 bytes, so no printable name in a path is cut.
_LONG_NAME = re.compile(r"[^\s/]{300,}")


class Size(int):
    """A number of bytes. A job file gives it as a number, or as a string such as "64KiB"."""


def parse_size(text: str) -> int:
    """Parse a size such as "64KiB", and return it in bytes. Raises InputError if it is invalid."""
    match = _SIZE.fullmatch(text.strip().replace("_", ""))
    if not match or (match[3] and not match[2]):
        excerpt = shortened(text)
        raise InputError(
            f"invalid size '{excerpt}'; expected bytes, as in 65536, 64KiB, 64K or 64kB"
        )
    letter = match[2].upper()
    is_decimal = match[4] and not match[3]
    factor = (_DECIMAL if is_decimal else _BINARY)[letter] if letter else 1
    whole, _, fraction = match[1].partition(".")
    # Computed with integers, because a float has no exact value for 0.1.
    size: int = int(whole) * factor + int(fraction or 0) * factor // 10 ** len(fraction)
    if size > MAX_SIZE:
        raise InputError(f"'{text}' is too large; expected at most 128TiB")
    return size


def parse_count(text: str) -> int | None:
    """Parse an integer such as "1000000", "1e6" or "2^20"; return None if it is invalid."""
    if not text.isascii():  # int() accepts the digits of every script
        return None
    base, power, exponent = text.partition("^")
    try:
        if power:  # at most 64, because a larger power is out of range for every option, and slow
            return int(base) ** min(int(exponent), 64) if int(exponent) >= 0 else None
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
        return int(number) if number == int(number) and abs(number) < 1e18 else None
    except (ValueError, OverflowError):
        return None


def parse_float(text: str) -> float | None:
    """Parse a number such as "0.5" or "1e3"; return None if `text` is not a number.

    Unlike float(), this function accepts no spaces, underscores, digits of other scripts, "nan" or
    "inf".
    """
    return float(text) if _FLOAT.fullmatch(text) else None


def parse_percent(text: str, maximum: float) -> float:
    """Parse a percentage, and return it as a fraction: 0.25 for "25%".

    Raises InputError if `text` is not a percentage, or is above `maximum` percent.
    """
    match = _PERCENT.fullmatch(text.strip())
    if not match:
        raise InputError(f"invalid percentage '{text}'; expected a number with %, as in 25%")
    if float(match[1]) > maximum:
        raise InputError(f"'{text}' is too large; expected at most {maximum:g}%")
    return float(match[1]) / 100


def counted(count: int, noun: str) -> str:
    """Return a count with its noun: "1 event", "82,717 events"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def format_bytes(count: float) -> str:
    """Return a number of bytes as text with three or four digits and a binary unit: "111.0 MiB"."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} TiB"


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


def printable_lines(text: str) -> str:
    """Return a text of several lines with the non-printable characters of each line escaped."""
    return "\n".join(map(printable, text.expandtabs(4).split("\n")))
