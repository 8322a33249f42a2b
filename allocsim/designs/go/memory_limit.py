"""The parameter GOMEMLIMIT: the memory limit, in the notation of Go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from allocsim.designs.go.mgcpacer import NO_LIMIT
from allocsim.designs.parameter import Parameter

UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
"""The suffixes that Go accepts, each with its bytes; a number without a suffix is in bytes."""

_SIZE = re.compile(rf"([+-]?)0*([0-9]{{1,19}})({'|'.join(UNITS)})?", re.ASCII)
"""An optional sign, zeros, at most 19 digits (2^63 has 19) and an optional suffix. The minus sign
is for -0, which Go accepts."""


@dataclass(frozen=True)
class MemoryLimit(Parameter):
    """A size in Go's notation (parseByteCount), which is stricter than allocsim's."""

    def number_of(self, setting: Any) -> int | None:
        """Convert an integer or a text to bytes. Returns None if Go rejects the text."""
        if not isinstance(setting, str):
            return super().number_of(setting)
        match = _SIZE.fullmatch(setting)
        return int(match[1] + match[2]) * UNITS[match[3] or "B"] if match else None

    @property
    def expected(self) -> str:
        """The valid values, as error messages describe them."""
        return "bytes below 2^63, as in 67108864 or 64MiB (B, KiB, MiB, GiB, TiB), or off"

    def shown(self, value: int) -> int | str:
        """Return the limit in the largest unit that divides it, or "off"."""
        if value == NO_LIMIT:
            return "off"
        unit = max((unit for unit in UNITS if value % UNITS[unit] == 0), key=UNITS.__getitem__)
        return f"{value // UNITS[unit]}{unit}" if value and unit != "B" else value


MEMORY_LIMIT = MemoryLimit(
    NO_LIMIT, 0, NO_LIMIT, "memory that the runtime should not exceed", off=NO_LIMIT
)
