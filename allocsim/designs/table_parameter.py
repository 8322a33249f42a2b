"""The parameter `size_classes`, which replaces the design's table of size classes.

The value is an integer, like that of every parameter: an encoded table (see `core.class_rules`), or
0 for the design's own table. Users name a file that `allocsim tune` has written, or list the sizes
in bytes, separated by commas.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import index
from pathlib import Path
from typing import Any

from allocsim.core.class_rules import ClassRules, decoded, encoded
from allocsim.designs.parameter import Parameter, setting_text
from allocsim.errors import InputError
from allocsim.input_file import names_file, require_regular
from allocsim.json_fields import read_json
from allocsim.quantities import parse_count
from allocsim.text import shortened

KEY = "size_classes"
"""The name of the parameter."""

OWN = "own"
"""The value that selects the design's own table."""

SCHEMA = "allocsim/size-class-table/1"
"""Name and version of the JSON file. The version changes when a key is removed or gets another
meaning."""

MAX_BYTES = 1 << 40
"""Maximum object size. Larger ones are rejected before the design's rules are checked."""

TUNING_SCHEMA = "allocsim/tuning/1"
"""Name and version of the JSON of `allocsim tune --json`, which also contains a table. The version
changes by the same rule as that of SCHEMA."""


@dataclass(frozen=True)
class TableParameter(Parameter):
    """The parameter of a design whose table can be replaced."""

    rules: ClassRules = field(kw_only=True)

    def value_of(self, key: str, setting: Any) -> int:
        """Return the encoded table; raise InputError if it breaks a rule of the design.

        `setting` is OWN, a path, sizes separated by commas, or a sequence of sizes.
        """
        if isinstance(setting, str | int) and setting in (OWN, 0):
            return 0
        sizes = _sizes(setting) if isinstance(setting, str) else self._sequence(key, setting)
        try:
            self.rules.require_valid(sizes)
        except InputError as error:
            named = f"{key}={shortened(setting)}: " if isinstance(setting, str) else f"{key}: "
            raise InputError(f"{named}{error}") from None
        return encoded(sizes)

    def _sequence(self, key: str, setting: Any) -> tuple[int, ...]:
        """Return a sequence of sizes as a tuple; raise InputError for anything else."""
        try:
            sizes = tuple(map(index, setting))
        except TypeError:
            sizes = (-1,)
        if not all(0 <= size <= MAX_BYTES for size in sizes):
            raise InputError(f"{key}={setting_text(setting)}: expected {self.expected}")
        return sizes

    @property
    def expected(self) -> str:
        """The valid values, as error messages describe them."""
        return f"{OWN}, a file written by `allocsim tune`, or sizes separated by commas"

    def shown(self, value: int) -> str:
        """Return the table as sizes separated by commas, or OWN."""
        return ",".join(map(str, decoded(value))) or OWN


def table_parameter(rules: ClassRules) -> TableParameter:
    """Return the parameter of a design with these rules."""
    return TableParameter(0, 0, 0, "table of size classes", rules=rules)


def _sizes(text: str) -> tuple[int, ...]:
    """Return the sizes that a text lists, or the sizes in the file that it names."""
    listed = [parse_count(each) for each in text.split(",")]
    if None not in listed:
        return tuple(size for size in listed if size is not None)
    if "," in text and not names_file(Path(text)):
        wrong = shortened(text.split(",")[listed.index(None)])
        raise InputError(f"{KEY}: '{wrong}' is not a size in bytes")
    return _read(text)


def _read(path: str) -> tuple[int, ...]:
    """Read the sizes of a table from a JSON file: its key `classes` is a list of objects.

    Each object has a `size` in bytes. A file written by hand may lack the key `schema`.
    """
    require_regular(Path(path))
    table = read_json(path, "a table of size classes")
    schema = table.get("schema")
    if schema is not None and schema.text() not in (SCHEMA, TUNING_SCHEMA):
        raise InputError(f"{path}: its schema is {schema.text()!r}; expected {SCHEMA!r}")
    classes = table["classes"].items()
    return tuple(each["size"].integer(1, MAX_BYTES) for each in classes)


def table_json(design: str, rows: Sequence[dict[str, int]]) -> dict[str, Any]:
    """Return a table as the JSON object that `size_classes=FILE` reads."""
    return {"schema": SCHEMA, "design": design, "classes": list(rows)}
