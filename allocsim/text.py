"""Quantities as people write them: "64KiB" to 65536 and back, "1e6", "25%".

At the bottom beside `errors`; the command line and job files read sizes with it, reports write
them. Its one rule: KiB, K and k are 2**10, kB is 10**3, and so on for M, G and T.
"""

from __future__ import annotations

import re

from allocsim.errors import InputError

LARGEST = 1 << 47
"""No size on the command line, in a job or in a trace is larger: the user's address space."""

_BINARY = {letter: 1 << 10 * power for power, letter in enumerate("KMGT", start=1)}
_DECIMAL = {letter: 1000**power for power, letter in enumerate("KMGT", start=1)}
_SIZE = re.compile(r"(\d{1,30}(?:\.\d{1,30})?)\s*([kKMGT]?)(i?)(B?)")
_PERCENT = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?) ?%")


class Size(int):
    """A number of bytes, in a job file either a number or a text such as "64KiB"."""


def parse_size(text: str) -> int:
    """The bytes that `text` means; InputError if it means none."""
    match = _SIZE.fullmatch(text.strip().replace("_", ""))
    if not match or (match[3] and not match[2]):
        raise InputError(f"'{text}' is no size: expected bytes, as in 65536, 64KiB, 64K or 64kB")
    letter = match[2].upper()
    decimal = match[4] and not match[3]
    factor = (_DECIMAL if decimal else _BINARY)[letter] if letter else 1
    whole, _, fraction = match[1].partition(".")
    size: int = int(whole) * factor + int(fraction or 0) * factor // 10 ** len(fraction)
    if size > LARGEST:
        raise InputError(f"'{text}' is more than the largest size, 128TiB")
    return size


def parse_count(text: str) -> int | None:
    """The whole number that `text` means, as in "1000000", "1e6" or "2^20"; None if it is none."""
    base, power, exponent = text.partition("^")
    try:
        if power:
            return int(base) ** min(int(exponent), 64) if int(exponent) >= 0 else None
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
        return int(number) if number == int(number) and abs(number) < 1e18 else None
    except (ValueError, OverflowError):
        return None


def parse_percent(text: str, most: float) -> float:
    """The share that `text` means, 0.25 for "25%"; InputError if it is none up to `most` %."""
    match = _PERCENT.fullmatch(text.strip())
    if not match:
        raise InputError(f"'{text}' is no percentage: expected a number and a sign, as in 25%")
    if float(match[1]) > most:
        raise InputError(f"'{text}' is more than {most:g}%")
    return float(match[1]) / 100


def counted(count: int, thing: str) -> str:
    """How many of a thing, as in "1 event" and "82,717 events"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def format_bytes(count: float) -> str:
    """`count` bytes with three or four digits and a binary unit: "111.0 MiB"."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:,.1f} TiB"


def printable(text: str) -> str:
    """The text with every character that is none to look at as Python would write it."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)


def printable_lines(text: str) -> str:
    """The same for a text of our own in several lines, in which others' words stand."""
    return "\n".join(map(printable, text.expandtabs(4).split("\n")))
