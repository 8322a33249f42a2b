"""The calls of a Heap that measure it and change no object."""

from __future__ import annotations

from typing import Any

import numpy as np

from allocsim.core import operations
from allocsim.core.check import footprint_is_what_was_obtained, violations
from allocsim.core.memory import Reservation
from allocsim.core.records import SAMPLE, HeapState
from allocsim.designs import CacheUse, ClassUse, Design
from allocsim.errors import InputError
from allocsim.heap.live_objects import LiveObjects
from allocsim.profile import Snapshot
from allocsim.text import counted, format_bytes


class Measured:
    """The measurements of a heap. `Heap` is a subclass and adds the calls that change the heap."""

    design: Design
    memory: Reservation
    _state: HeapState | None
    _objects: LiveObjects
    _stacks: LiveObjects

    @property
    def _lock(self) -> Any:
        """The lock, held during every call."""
        raise NotImplementedError

    @property
    def state(self) -> HeapState:
        """The design's records. Raises InputError if the heap is closed."""
        if self._state is None:
            raise InputError("this heap is closed")
        return self._state

    def classes(self) -> list[ClassUse]:
        """Return the use of each size class. The list is empty for a design without classes."""
        with self._lock:
            state = self.state
            return self.design.classes(state) if self.design.classes else []

    def caches(self) -> list[CacheUse]:
        """Return the use of each thread cache; [] for a design that does not report its caches."""
        with self._lock:
            state = self.state
            return self.design.caches(state) if self.design.caches else []

    def native_counters(self) -> dict[str, int]:
        """Return the modelled library's counters, by the library's names; {} if it has none."""
        with self._lock:
            state = self.state
            return self.design.native_counters(state) if self.design.native_counters else {}

    @property
    def live(self) -> int:
        """Bytes requested from this heap and not yet freed."""
        return self._objects.total + self._stacks.total

    def profile(self) -> Snapshot:
        """Measure the heap: the current use of each byte."""
        with self._lock:
            sample = np.zeros(1, SAMPLE).view(np.recarray)
            operations.measure(self.state, self.live, sample[0])
            return Snapshot.of(sample[0])

    def resident(self) -> int:
        """Return how many bytes of the heap are in physical memory."""
        with self._lock:
            operations.flush_deferred_writes(self.state)
            memory, system = self.memory, self.state.system[0]
            used, mapped = int(system.next), int(max(system.limit, system.next))
            above = memory.resident(memory.address + memory.length - mapped, mapped)
            return memory.resident(used - memory.address) + above

    def check(self) -> list[str]:
        """Check every invariant. Returns a sentence for each violation; a valid heap gives []."""
        if not self.design.invariants:
            raise InputError(f"the design '{self.design.name}' has no invariants to check")
        with self._lock:
            invariants = (footprint_is_what_was_obtained, *self.design.invariants)
            return violations(self.state, self.memory, invariants)

    def __repr__(self) -> str:
        # No lock: a debugger may show a heap while another thread is stopped inside a call to it.
        state = self._state
        if state is None:
            return f"<Heap {self.design.name}, closed>"
        footprint = format_bytes(int(operations.footprint(state)))
        objects = counted(len(self._objects) + len(self._stacks), "object")
        live = format_bytes(self.live)
        return f"<Heap {self.design.name}: footprint {footprint}, live {live} in {objects}>"
