"""Values of a parsed JSON file, found by key and checked. Each error names the file and the key.

A file may come from anywhere, so no value is trusted. Python's JSON parser also accepts NaN,
Infinity and integers of any size.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allocsim.errors import InputError
from allocsim.text import shortened

MAX_LENGTH = 1 << 24
"""Maximum bytes of a file. A saved comparison has a few KiB. Parsed JSON takes about twenty times
as much memory as its text."""

MAX_FIGURE = float(1 << 63)
"""Maximum magnitude of a figure, in bytes or in nanoseconds."""


@dataclass(frozen=True)
class Field:
    """A value in a JSON file."""

    path: str
    """The file."""
    value: Any
    name: str = ""
    """The keys that lead to the value, joined by dots; empty for the whole file."""
    kind: str = "a saved result"
    """The expected kind of file, for error messages."""

    def __getitem__(self, key: str | int) -> Field:
        """Return the value at a key; raise InputError if the key is missing."""
        name = f"{self.name}.{key}" if self.name else str(key)
        try:
            return Field(self.path, self.value[key], name, self.kind)
        except (KeyError, IndexError, TypeError):
            raise InputError(f"{self.path}: not {self.kind}: '{name}' is missing") from None

    def get(self, key: str) -> Field | None:
        """Return the value at a key, or None if it is missing or null."""
        if not isinstance(self.value, dict) or self.value.get(key) is None:
            return None
        return self[key]

    def items(self) -> list[Field]:
        """Return the elements of a list."""
        return [self[index] for index in range(len(self._of(list, "a list")))]

    def text(self) -> str:
        """Return the value, which must be a text that is not empty."""
        text: str = self._of(str, "a text")
        return text or self._fail("a text")

    def number(self, low: float = 0.0, high: float = MAX_FIGURE) -> float:
        """Return the value, which must be a number from `low` to `high`."""
        expected = f"a number from {low:g} to {high:g}"
        value = self._of(int | float, expected)
        if isinstance(value, bool) or not low <= value <= high:  # NaN is in no range
            self._fail(expected)
        return float(value)

    def integer(self, low: int, high: int) -> int:
        """Return the value, which must be an integer from `low` to `high`."""
        expected = f"an integer from {low} to {high}"
        value: int = self._of(int, expected)
        if isinstance(value, bool) or not low <= value <= high:
            self._fail(expected)
        return value

    def _of(self, kind: Any, expected: str) -> Any:
        """Return the value if it is of type `kind`; otherwise raise InputError."""
        return self.value if isinstance(self.value, kind) else self._fail(expected)

    def _fail(self, expected: str) -> Any:
        """Raise InputError: the value is not what was expected."""
        value_text = shortened(repr(self.value))
        raise InputError(f"{self.path}: '{self.name}' is {value_text}; expected {expected}")


def read_json(path: str, kind: str = Field.kind) -> Field:
    """Read a JSON file; raise InputError if it is not JSON.

    `kind` is what the file should be, for error messages. The file is read once, because it may be
    a pipe.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(MAX_LENGTH + 1)
        if len(text) > MAX_LENGTH:
            raise InputError(f"{path}: too long for {kind}; expected at most 16 MiB")
        return Field(path, json.loads(text.decode("utf-8-sig")), kind=kind)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}") from error
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: not JSON: {error}") from error
    except ValueError as error:  # Python's own message would not help a user
        raise InputError(f"{path}: an integer has too many digits") from error
