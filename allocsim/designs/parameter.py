"""Parameters of designs: the settings that `--set KEY=VALUE` changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from allocsim.errors import InputError
from allocsim.text import parse_count, parse_size

SWITCH = {"no": 0, "off": 0, "false": 0, "yes": 1, "on": 1, "true": 1}
"""Words accepted for a parameter whose values are 0 and 1."""


@dataclass(frozen=True)
class Parameter:
    """A parameter of a design: an integer in a range, or a name from a list."""

    default: int
    minimum: int
    maximum: int
    meaning: str
    """One line for `allocsim list designs`."""
    names: tuple[str, ...] = ()
    """Names of the values 0, 1, 2 and so on, if users choose a name instead of a number."""
    off: int | None = None
    """The value that "off" stands for; None if the parameter cannot be off."""

    def value_of(self, key: str, given: Any) -> int:
        """Convert `given`, an integer or the text of an option; raise InputError if it is invalid.

        `key` is the parameter's name, which the error message repeats.
        """
        if self.names:
            if given not in self.names:
                raise InputError(f"{key}={given}: expected {self.expected}")
            return self.names.index(given)
        value = self.off if given == "off" else _number(given)
        if value is None and self.maximum == 1:
            value = SWITCH.get(given)
        if value is None or not self.minimum <= value <= self.maximum:
            raise InputError(f"{key}={given}: expected {self.expected}")
        return value

    @property
    def expected(self) -> str:
        """The valid values, as error messages describe them."""
        if self.names:
            return f"one of {', '.join(self.names)}"
        if (self.minimum, self.maximum) == (0, 1):
            return "0 or 1"
        if self.off is not None:
            return f"0 to {self.maximum:,}, or off"
        return f"{self.minimum} to {self.maximum:,}"

    def shown(self, value: int) -> int | str:
        """Return `value` as users write it: its name, if values have names."""
        if value == self.off:
            return "off"
        return self.names[value] if self.names else value


def parse_setting(text: str) -> tuple[str, str]:
    """Split KEY=VALUE; raise InputError for any other text. The value is not interpreted."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier() or not value:
        raise InputError(f"'{text}' is not a setting: expected KEY=VALUE")
    return key, value


def _number(given: Any) -> int | None:
    """Return `given`, a number or a size in bytes, as an integer; None if it is neither."""
    if not isinstance(given, str):
        return given if isinstance(given, int) else None
    if (count := parse_count(given)) is not None:
        return count
    try:
        return parse_size(given)
    except InputError:
        return None
