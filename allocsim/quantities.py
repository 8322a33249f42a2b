"""Parsing of sizes, counts, numbers and percentages.

In a size, KiB, K and k mean 2**10 bytes, and kB means 10**3 bytes. M, G and T follow the same
pattern.
"""

from __future__ import annotations

import re

from allocsim.errors import InputError
from allocsim.text import shortened

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
        if power:  # exponent at most 64: a larger power is slow, and too large for any option
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
