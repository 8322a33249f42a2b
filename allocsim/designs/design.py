"""`Design`, the description of a design, and the rows of the tables that a design reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allocsim.core.check import Invariant
from allocsim.core.class_rules import ClassRules
from allocsim.core.memory import Reservation
from allocsim.core.records import HeapState
from allocsim.core.size_classes import SizeClasses
from allocsim.designs.parameter import Parameter
from allocsim.designs.table_parameter import KEY
from allocsim.errors import InputError, UnknownName


@dataclass(frozen=True)
class ClassUse:
    """Use of one size class at one moment. `object_size` is in bytes, the rest are counts."""

    size_class: int
    object_size: int
    spans: int
    in_use: int
    """Objects allocated and not freed."""
    cached: int
    """Free objects in thread caches."""
    transfer: int = 0
    """Free objects in the transfer cache."""
    central: int = 0
    """Free objects in the central free list."""
    slots: int = 0
    """Slots of the transfer cache that the class has now, used or not. A slot holds one batch."""

    @property
    def free(self) -> int:
        """Free objects of the class, wherever they are."""
        return self.cached + self.transfer + self.central


@dataclass(frozen=True)
class CacheUse:
    """Use of one thread cache at one moment, for designs that limit the bytes of a cache."""

    thread: int | None
    """The thread that uses the cache. None for a cache that a library creates at its startup and
    that no thread uses."""
    size: int
    """Bytes of free objects in the cache."""
    limit: int
    """Value of `size` above which the cache is scavenged."""


@dataclass(frozen=True)
class Units:
    """The units of a heap at one moment: the pieces of memory that become free only as a whole.

    In a design with spans, the units are the spans. In a design that can release pages between
    objects, they are OS pages. Every live object is in one or more units.
    """

    address: np.ndarray
    """int64: address of the first byte of each unit. The units are disjoint, and in any order."""
    length: np.ndarray
    """int64: bytes of each unit."""
    part: np.ndarray
    """int64: for each unit, an index into `names`. It names the part of the heap to which the bytes
    of the unit belong if no live object is in the unit."""
    names: tuple[str, ...]
    """Names of the parts of the heap to which `part` refers."""
    rest: Mapping[str, int] = field(default_factory=dict)
    """Bytes outside all units, by part of the heap. Released bytes do not count."""
    break_range: tuple[int, int] | None = None
    """Start and end of a range of memory that grows and shrinks only at its end, like the memory
    below glibc's program break. None if there is no such range."""


@dataclass(frozen=True)
class Design:
    """The description of a design.

    The design's kernels are not listed here; `core.jit.answers` registers them for `state`.
    """

    name: str
    state: type
    """The type of a heap of this design: a NamedTuple. Its field `system` is a table of one System
    (see `core.records`)."""
    create: Callable[..., HeapState]
    """create(memory, threads, parameters) returns a new heap."""
    size_classes: Callable[[Mapping[str, int]], SizeClasses] | None = None
    """Returns the size class table for the given parameters; None for a design without classes."""
    class_rules: ClassRules | None = None
    """The rules for a table of size classes that replaces the design's own. None if the table
    cannot be replaced. A design with rules must have the parameter that `table_parameter`
    returns."""
    fixed_classes: str = "the design has no table of size classes"
    """For a design without rules: the reason why its size classes cannot be replaced."""
    classes: Callable[[HeapState], list[ClassUse]] | None = None
    """Returns the use of each size class; None for a design without classes."""
    invariants: tuple[Invariant, ...] = ()
    zeroed: bool = False
    """Whether malloc returns objects that are all zeros."""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    caches: Callable[[HeapState], list[CacheUse]] | None = None
    """Returns the use of each thread cache; None for a design that does not report its caches."""
    native_counters: Callable[[HeapState], dict[str, int]] | None = None
    """Returns the statistics that the modelled library would report, under the library's own names;
    None for a design that models no library."""
    placement: Callable[[Mapping[str, int]], tuple[int, int]] = lambda _: (32 << 20, 0)
    """Returns (alignment, offset): the heap starts `offset` bytes after a multiple of `alignment`.
    For a design with a page map, the alignment should be the bytes that a leaf of the page map
    covers: then the number of leaves does not depend on where the OS maps the heap."""
    units: Callable[[HeapState], Units] | None = None
    """Returns the units of the heap, for `allocsim explain`; None for a design that does not report
    them. The lengths of the units and `Units.rest` sum to heap - released."""
    unit: str = "span"
    """The word for a unit: "span" or "page"."""
    start: Callable[[int], Mapping[str, int]] | None = None
    """Takes the address that `libraries.start` reads from a process with the modelled library, and
    returns the parameters of a heap that starts where the library's heap does. None for a design
    that models no library."""
    mode: Callable[[Mapping[str, int]], str] = lambda _: ""
    """Takes the parameters, and returns a sentence about the mode that they select, for the head of
    a report, or "" if there is nothing to say."""
    instead_of_classes: str = ""
    """For a design without size classes: sentences that `sizeclass-check` prints instead of the
    table, or "" if there is nothing to say."""
    spans: str = "spans"
    """The design's word for the pieces of memory that `core.records.SPAN_COUNTS` counts."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """Descriptions of parts of the heap, or of "metadata", that replace those in
    `profile.PART_MEANINGS`."""

    def new(self, memory: Reservation, threads: int, values: Mapping[str, int]) -> HeapState:
        """Create a heap of this design; `values` are parameters that `checked` has returned.

        Raises InputError if `create` returns another type than `state`.
        """
        heap = self.create(memory, threads, values)
        if not isinstance(heap, self.state):
            raise InputError(
                f"the design '{self.name}': create returned {type(heap).__qualname__}, "
                f"expected {self.state.__qualname__}"
            )
        return heap

    def table(self, values: Mapping[str, int]) -> SizeClasses:
        """Return the size class table.

        Raises InputError if the design has no table, or if `size_classes` returns another type.
        """
        if self.size_classes is None:
            raise InputError(f"the design '{self.name}' has no size classes")
        classes = self.size_classes(values)
        if not isinstance(classes, SizeClasses):
            raise InputError(
                f"the design '{self.name}': size_classes returned {type(classes).__name__}, "
                "expected SizeClasses"
            )
        return classes

    def checked(self, settings: Mapping[str, Any]) -> dict[str, int]:
        """Return all parameters: those in `settings`, and the defaults of the others.

        Raises InputError if a setting is unknown or has an invalid value.
        """
        values = {name: parameter.default for name, parameter in self.parameters.items()}
        if KEY in settings:
            self.require_class_rules()
        if settings and not values:
            raise InputError(f"{self.name} has no parameters")
        for name, value in settings.items():
            if name not in self.parameters:
                raise UnknownName(f"parameter of the design {self.name}", name, self.parameters)
            values[name] = self.parameters[name].value_of(name, value)
        return values

    def require_class_rules(self) -> ClassRules:
        """Return `class_rules`; raise InputError if the design has no rules."""
        if self.class_rules is None:
            raise InputError(
                f"the size classes of {self.name} cannot be replaced: {self.fixed_classes}"
            )
        return self.class_rules

    def shown(self, values: Mapping[str, int]) -> dict[str, int | str]:
        """Return checked parameters as users write them."""
        return {name: self.parameters[name].shown(value) for name, value in values.items()}
