"""Parameters of designs: the settings that `--set KEY=VALUE` changes."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Any

from allocsim.errors import InputError
from allocsim.quantities import parse_count, parse_size
from allocsim.text import integer_text, object_text, shortened

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
    """The value that "off" stands for. None if the parameter cannot be off."""

    def value_of(self, key: str, setting: Any) -> int:
        """Convert `setting`, an integer or the text of an option.

        Raises InputError if `setting` is not valid. `key` is the parameter's name, for the message.
        """
        value = self._value(setting)
        if value is None:
            raise InputError(f"{key}={setting_text(setting)}: expected {self.expected}")
        return value

    def _value(self, setting: Any) -> int | None:
        """Return the value that `setting` means, or None if it is not valid."""
        if isinstance(setting, str) and self.names:
            return self.names.index(setting) if setting in self.names else None
        if self.names:
            return None
        if isinstance(setting, str) and setting == "off" and self.off is not None:
            return self.off
        value = self.number_of(setting)
        if value is None and isinstance(setting, str) and self.maximum == 1:
            value = SWITCH.get(setting)
        return value if value is not None and self.minimum <= value <= self.maximum else None

    def number_of(self, setting: Any) -> int | None:
        """Convert a number or a size in bytes to an integer; return None if it is invalid."""
        return _number(setting)

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
        raise InputError(f"'{shortened(text)}' is not a setting: expected KEY=VALUE")
    return key, value


def setting_text(setting: Any) -> str:
    """Return the text of a setting, for a message."""
    if isinstance(setting, str):
        return shortened(setting)
    return integer_text(setting) if type(setting) is int else object_text(setting)


def _number(setting: Any) -> int | None:
    if not isinstance(setting, str):
        try:
            return index(setting)  # converts integers of NumPy and enumerations too
        except TypeError:
            return None
    if (count := parse_count(setting)) is not None:
        return count
    try:
        return parse_size(setting)
    except InputError:
        return None
