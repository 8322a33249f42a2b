"""The workload `empirical`: a heap in the steady state that a table of rates describes.

The table (see `generators.rates`) gives the allocation rate and the number of live objects of each
size. A profiler of a real program can write such a table, and Google's fleetbench comes with
several. The first events allocate a population of `heap` bytes. The other events allocate and free
at the rates of the table, so about `heap` bytes remain live. Sizes above `largest` * `heap` are
dropped, and a note says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from allocsim.errors import InputError
from allocsim.events import CHUNK, MAX_OBJECTS, Trace, no_events
from allocsim.generators import Count, Generator, Share, Threads, pick, random_bits
from allocsim.generators.population import Population, capacity, fill, populate, step, words_of
from allocsim.generators.rates import Rate, is_usable, read_table
from allocsim.quantities import Size
from allocsim.text import counted, format_bytes


class Empirical(Generator, frozen=True, kw_only=True, tag_field="kind", tag="empirical"):
    """Allocations and frees at the rates of a table."""

    file: str
    """Path of the table. In a job file, the path is relative to the job file."""
    heap: Size = Size(64 << 20)
    """Live bytes, on average."""
    ops: Count = 1 << 20
    """Number of events after the initial population has been allocated."""
    threads: Threads = 1
    largest: Share = 0.05
    """Maximum size of an object, as a share of the heap."""

    def __post_init__(self) -> None:
        self._rates()

    def trace(self, name: str) -> Trace:
        """Return the trace. Its notes are added while its events are generated."""
        trace = super().trace(name)
        trace.chunks = self._events(trace.notes)
        return trace

    def events(self) -> Iterator[Any]:
        """Yield the initial allocations, then chunks of the steady state."""
        return self._events([])

    def _events(self, notes: list[str]) -> Iterator[Any]:
        """Yield the events, and add notes about the population."""
        usable, note = self._rates()
        notes += note
        bits, population = np.random.PCG64(self.seed), populate(usable, self.heap)
        total = 0
        for chunk in self._initial(bits, population):
            total += len(chunk)
            yield chunk
        live = format_bytes(int(population.state[0].live))
        notes.append(f"the first {counted(total, 'event')} allocate the initial population: {live}")
        for start in range(0, self.ops, CHUNK):
            count = min(CHUNK, self.ops - start)
            chunk = no_events(count)
            row_bits, object_bits = random_bits(bits, count), random_bits(bits, count)
            # The high half of a word of `object_bits` picks the thread. The low half picks the
            # object to free. `words_of` shifts right by 1, and the shift to the left undoes that.
            self._spread(object_bits >> np.uint64(32), chunk)
            step(population, words_of(row_bits), words_of(object_bits << np.uint64(1)), chunk)
            yield chunk

    def _initial(self, bits: np.random.PCG64, population: Population) -> Iterator[Any]:
        """Yield chunks of allocations until `heap` bytes are live."""
        state = population.state[0]
        while state.live < self.heap:
            chunk, words = no_events(CHUNK), random_bits(bits, CHUNK)
            # The low half of a word picks the thread, and the high half picks the size.
            self._spread(words, chunk)
            fill(population, words_of(words), self.heap, chunk)
            yield chunk[: state.events]

    def _spread(self, words: Any, chunk: Any) -> None:
        """If there are several threads, let the low half of each event's word pick its thread."""
        if self.threads > 1:
            chunk.thread[:] = pick(words, self.threads)

    def _rates(self) -> tuple[list[Rate], list[str]]:
        """Return the rates of all sizes that are not too large, and notes about the table."""
        (rates, notes), maximum = read_table(self.file), int(self.heap * self.largest)
        usable = [rate for rate in rates if rate.size <= maximum]
        if not is_usable(usable):
            raise InputError(
                f"{self.file}: the sizes up to {format_bytes(maximum)} ({self.largest:.1%} of the "
                f"heap of {format_bytes(self.heap)}) have no allocations or no live objects; use a "
                "larger heap"
            )
        scale = self.heap / sum(rate.size * rate.live for rate in usable)
        if sum(capacity(rate.live * scale) for rate in usable) > MAX_OBJECTS:
            raise InputError(
                f"{self.file}: a heap of {format_bytes(self.heap)} may have more than "
                f"{MAX_OBJECTS:,} objects, the maximum; use a smaller heap"
            )
        if len(usable) < len(rates):
            notes.append(_dropped(rates, usable, maximum))
        return usable, notes


def _dropped(rates: list[Rate], usable: list[Rate], maximum: int) -> str:
    """Return the note about sizes that are too large."""
    bytes_live = sum(rate.size * rate.live for rate in rates)
    share = 1 - sum(rate.size * rate.live for rate in usable) / bytes_live
    return (
        f"dropped {len(rates) - len(usable):,} of {counted(len(rates), 'size')}: those above "
        f"{format_bytes(maximum)}, with {share:.1%} of the table's live bytes"
    )
