"""The designs: one file each, which wires stages of the core into an allocator.

Between `core` and `Heap`. A design is a state type with a kernel for every operation, and a
`Design` that says what a user sees of it. Its one rule: nothing outside a design's own file asks
which design it has; what differs is in the kernels, or in the fields of `Design`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any

from allocsim.core.check import Invariant
from allocsim.core.records import HeapState
from allocsim.core.size_classes import SizeClasses
from allocsim.errors import InputError, UnknownName
from allocsim.text import parse_count, parse_size

SUMMARIES = {
    "go2008": "the first Go malloc, November 2008: thread lists, no coalescing, nothing returned",
    "tcmalloc": "gperftools 2.10: bounded caches, transfer slots, central lists, pages returned",
}
"""Every design by name, with what it is in a line."""

DEFAULT = "go2008"


@dataclass(frozen=True)
class Parameter:
    """A setting of a design that --set can change."""

    default: int
    least: int
    most: int
    meaning: str
    names: tuple[str, ...] = ()
    """Names of the values from 0 on, where a user gives a name and no number."""

    def value_of(self, key: str, found: Any) -> int:
        """The value that a user means by `found`, a number or a text; InputError for any other."""
        if self.names:
            if found not in self.names:
                raise InputError(f"{key}={found}: expected {self.expected}")
            return self.names.index(found)
        value = _number(found)
        if value is None and self.most == 1:
            value = SWITCH.get(found)
        if value is None or not self.least <= value <= self.most:
            raise InputError(f"{key}={found}: expected {self.expected}")
        return value

    @property
    def expected(self) -> str:
        """What values there are, in words."""
        if self.names:
            return f"one of {', '.join(self.names)}"
        return "0 or 1" if (self.least, self.most) == (0, 1) else f"{self.least} to {self.most:,}"

    def shown(self, value: int) -> int | str:
        """A value as a user gives it."""
        return self.names[value] if self.names else value


SWITCH = {"no": 0, "off": 0, "false": 0, "yes": 1, "on": 1, "true": 1}
"""Other words for a parameter that is 0 or 1."""


def _number(found: Any) -> int | None:
    """The whole number, or the bytes, that a user means by `found`; None if it is neither."""
    if not isinstance(found, str):
        return found if isinstance(found, int) else None
    if (count := parse_count(found)) is not None:
        return count
    try:
        return parse_size(found)
    except InputError:
        return None


@dataclass(frozen=True)
class ClassUse:
    """What one size class holds at a moment; counts, but for `object_size` in bytes."""

    size_class: int
    object_size: int
    spans: int
    in_use: int
    """Objects handed out."""
    cached: int
    """Free objects in thread caches."""
    transfer: int = 0
    """Free objects in transfer slots."""
    central: int = 0
    """Free objects in central lists."""
    slots: int = 0
    """Transfer slots that the class has now, used or not."""

    @property
    def free(self) -> int:
        """Objects that wait, wherever it is."""
        return self.cached + self.transfer + self.central


@dataclass(frozen=True)
class CacheUse:
    """What one thread's cache holds at a moment, where caches have a bound; bytes."""

    thread: int | None
    """None: of a thread that was before the program's own."""
    held: int
    most: int
    """What it may hold before it is trimmed."""


@dataclass(frozen=True)
class Design:
    """What the world sees of a design."""

    name: str
    create: Callable[..., HeapState]
    """create(memory, threads, parameters): an empty heap."""
    size_classes: Callable[[Mapping[str, int]], SizeClasses]
    """The class table under the given parameters."""
    classes: Callable[[HeapState], list[ClassUse]]
    """What each class holds now."""
    invariants: tuple[Invariant, ...]
    zeroed: bool
    """Whether malloc promises objects that are all zeros."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    caches: Callable[[HeapState], list[CacheUse]] | None = None
    """The thread caches; None where they have no bound."""
    native_counters: Callable[[HeapState], dict[str, int]] | None = None
    """What the real library's own statistics would say, under its own names."""
    placement: Callable[[Mapping[str, int]], tuple[int, int]] = lambda _: (32 << 20, 0)
    """A heap begins so many bytes (the second) behind a multiple of the first, which a leaf of the
    page map covers: so how many leaves it needs does not change with where the kernel puts it."""

    def checked(self, settings: Mapping[str, Any]) -> dict[str, int]:
        """All parameters of the design, with `settings` checked and laid over the defaults."""
        values = {name: parameter.default for name, parameter in self.parameters.items()}
        for name, value in settings.items():
            if name not in self.parameters:
                raise UnknownName(f"parameter of the design {self.name}", name, self.parameters)
            values[name] = self.parameters[name].value_of(name, value)
        return values

    def shown(self, values: Mapping[str, int]) -> dict[str, int | str]:
        """Checked parameters as a user gives them."""
        return {name: self.parameters[name].shown(value) for name, value in values.items()}


def parse_setting(text: str) -> tuple[str, str]:
    """The parameter and its value, as yet unread, of KEY=VALUE; InputError for any other text."""
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier() or not value:
        raise InputError(f"'{text}' is no setting: expected KEY=VALUE")
    return key, value


def find_design(name: str) -> Design:
    """The design of that name; UnknownName, with the nearest, if there is none."""
    if name not in SUMMARIES:
        raise UnknownName("design", name, SUMMARIES)
    design: Design = import_module(f"{__name__}.{name}").DESIGN
    return design
