"""Types of option values: sizes with units, large counts, percentages, times, settings."""

from __future__ import annotations

import re
from typing import Any

import click

from allocsim.errors import InputError
from allocsim.quantities import (
    MAX_SECONDS,
    MAX_SIZE,
    MIN_SECONDS,
    parse_count,
    parse_float,
    parse_percent,
    parse_size,
)
from allocsim.text import format_bytes


class SizeType(click.ParamType[int]):
    """A number of bytes: 65536, 64KiB, 64K (2**10) or 64kB (10**3)."""

    name = "size"

    def __init__(self, minimum: int = 0, maximum: int = MAX_SIZE) -> None:
        self.minimum, self.maximum = minimum, maximum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number of bytes."""
        if isinstance(value, int):
            return value
        try:
            size = parse_size(value)
        except InputError as error:
            self.fail(str(error), param, ctx)
        if not self.minimum <= size <= self.maximum:
            bounds = f"{format_bytes(self.minimum)} to {format_bytes(self.maximum)}"
            self.fail(f"'{value}' is out of range; expected {bounds}", param, ctx)
        return size


class MomentType(click.ParamType["str | int | float"]):
    """A moment of a replay (see `moments.parse_moment`)."""

    name = "moment"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> str | int | float:
        """Return the moment, a `moments.Choice`."""
        from allocsim.moments import parse_moment

        try:
            return parse_moment(str(value))
        except InputError as error:
            self.fail(str(error), param, ctx)


class CountType(click.ParamType[int]):
    """An integer in a range: 1000000, 1_000_000, 1e6 or 2^20."""

    name = "count"

    def __init__(self, minimum: int = 1, maximum: int = 10**15) -> None:
        self.minimum, self.maximum = minimum, maximum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number."""
        count = value if isinstance(value, int) else parse_count(value)
        if count is None:
            self.fail(
                f"invalid number '{value}'; expected a number, as in 1000000, 1e6 or 2^20",
                param,
                ctx,
            )
        if not self.minimum <= count <= self.maximum:
            bounds = f"{self.minimum} to {self.maximum}"
            self.fail(f"'{value}' is out of range; expected {bounds}", param, ctx)
        return count


class PercentType(click.ParamType[float]):
    """A percentage as a share: "25%" is 0.25. The percent sign is required."""

    name = "percent"

    def __init__(self, maximum: float = 100) -> None:
        self.maximum = maximum

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the share."""
        if isinstance(value, float):
            return value
        try:
            return parse_percent(value, self.maximum)
        except InputError as error:
            self.fail(str(error), param, ctx)


class FloorType(PercentType):
    """The value of `tune --floor`: a percentage (see `PercentType`), or "none" for no limit."""

    name = "floor"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the share, or "none"."""
        return value if value == "none" else super().convert(value, param, ctx)


class TimeType(click.ParamType[float]):
    """A time in nanoseconds: 30, 30.5 or 30ns."""

    name = "ns"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the time in nanoseconds."""
        number = str(value).removesuffix("ns").strip()
        if not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,9})?", number) or float(number) == 0:
            self.fail(f"invalid time '{value}'; expected nanoseconds, as in 30 or 30ns", param, ctx)
        return float(number)


class SecondsType(click.ParamType[float]):
    """A time in seconds, 0.1 to a million."""

    name = "seconds"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the time in seconds."""
        seconds = value if isinstance(value, float) else parse_float(value)
        if seconds is None:
            self.fail(f"invalid time '{value}'; expected seconds, as in 90 or 0.5", param, ctx)
        if not MIN_SECONDS <= seconds <= MAX_SECONDS:
            bounds = f"{MIN_SECONDS:g} to {MAX_SECONDS:,.0f} seconds"
            self.fail(f"'{value}' is out of range; expected {bounds}", param, ctx)
        return seconds


class ShareType(click.ParamType[float]):
    """A share above 0 and up to 1: 1/100, 0.01 or 1%."""

    name = "share"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the share."""
        part, slash, whole = str(value).removesuffix("%").partition("/")
        share, divisor = parse_float(part), parse_float(whole) if slash else 1.0
        if share is None or not divisor:
            self.fail(
                f"invalid share '{value}'; expected a share, as in 1/100, 0.01 or 1%", param, ctx
            )
        share /= divisor * (100 if str(value).endswith("%") else 1)
        if not 0 < share <= 1:
            self.fail(
                f"'{value}' is out of range; expected a share above 0 and at most 1", param, ctx
            )
        return share


class SettingType(click.ParamType[tuple[str, str]]):
    """A parameter of a design and its value, KEY=VALUE; the design checks the value."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Return the key and the value."""
        if ctx is not None and ctx.resilient_parsing:
            return str(value), ""  # shell completion must not import Numba

        from allocsim.designs import parse_setting

        try:
            return parse_setting(str(value))
        except InputError as error:
            self.fail(str(error), param, ctx)
