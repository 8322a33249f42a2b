"""What options accept: sizes with units, counts of many digits, settings.

Below the commands, which name these types. Its one rule: a value that cannot be is refused while
the command line is parsed, with what was found and what was expected.
"""

from __future__ import annotations

import re
from typing import Any

import click

from allocsim.errors import InputError
from allocsim.text import MAX_SIZE, format_bytes, parse_count, parse_percent, parse_size


class SizeType(click.ParamType[int]):
    """Bytes: 65536, 64KiB, 64K (2**10) or 64kB (10**3)."""

    name = "size"

    def __init__(self, least: int = 0, most: int = MAX_SIZE) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The bytes, or a usage error."""
        if isinstance(value, int):
            return value
        try:
            size = parse_size(value)
        except InputError as error:
            self.fail(str(error), param, ctx)
        if not self.least <= size <= self.most:
            bounds = f"{format_bytes(self.least)} to {format_bytes(self.most)}"
            self.fail(f"{value} is not from {bounds}", param, ctx)
        return size


class CountType(click.ParamType[int]):
    """A whole number in a range: 1000000, 1_000_000, 1e6 or 2^20."""

    name = "count"

    def __init__(self, least: int = 1, most: int = 10**15) -> None:
        self.least, self.most = least, most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number, or a usage error."""
        count = value if isinstance(value, int) else parse_count(value)
        if count is None:
            self.fail(f"'{value}' is no count: expected 1000000, 1e6 or 2^20", param, ctx)
        if not self.least <= count <= self.most:
            self.fail(f"{value} is not from {self.least} to {self.most}", param, ctx)
        return count


class PercentType(click.ParamType[float]):
    """A share: 25% is 0.25; the sign has to be there."""

    name = "percent"

    def __init__(self, most: float = 100) -> None:
        self.most = most

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The share, or a usage error."""
        if isinstance(value, float):
            return value
        try:
            return parse_percent(value, self.most)
        except InputError as error:
            self.fail(str(error), param, ctx)


class TimeType(click.ParamType[float]):
    """Nanoseconds: 30, 30.5 or 30ns."""

    name = "ns"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The nanoseconds, or a usage error."""
        number = str(value).removesuffix("ns").strip()
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", number) or float(number) == 0:
            self.fail(f"'{value}' is no time: expected nanoseconds, as in 30 or 30ns", param, ctx)
        return float(number)


class ShareType(click.ParamType[float]):
    """A share of a whole: 1/100, 0.01 or 1%."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The share, above 0 and up to 1, or a usage error."""
        part, slash, whole = str(value).removesuffix("%").partition("/")
        try:
            share = float(part) / (float(whole) if slash else 1)
        except (ValueError, ZeroDivisionError):
            self.fail(f"'{value}' is no share: expected 1/100, 0.01 or 1%", param, ctx)
        share /= 100 if str(value).endswith("%") else 1
        if not 0 < share <= 1:
            self.fail(f"{value} is not above 0 and up to 1", param, ctx)
        return share


class SettingType(click.ParamType[tuple[str, str]]):
    """KEY=VALUE; what the value may be, the design knows."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """The key and its value, or a usage error."""
        from allocsim.designs import parse_setting

        try:
            return parse_setting(str(value))
        except InputError as error:
            self.fail(str(error), param, ctx)
