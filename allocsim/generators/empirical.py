"""The workload `empirical`: a heap in the steady state that a table of births describes.

The table (`rates`) says of each size how often it is allocated and how many such objects live; a
profiler of a real program can write one, and fleetbench's files are such. First comes a population
as it lives, up to `heap` bytes; from the event behind it on births and deaths keep it so. Its one
rule: sizes above the share `largest` of the heap are left out, and the notes say so.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from allocsim.errors import InputError
from allocsim.events import CHUNK, MAX_OBJECTS, Trace, no_events
from allocsim.generators import Count, Generator, Share, Threads, pick, random_bits
from allocsim.generators.population import Population, found, populate, room, step, words_of
from allocsim.generators.rates import Rate, is_playable, read_rates
from allocsim.text import Size, counted, format_bytes


class Empirical(Generator, frozen=True, kw_only=True, tag_field="kind", tag="empirical"):
    """Births and deaths by a table."""

    file: str
    """The table; in a job file its path counts from there."""
    heap: Size = Size(64 << 20)
    """Bytes that live on average."""
    ops: Count = 1 << 20
    """Births and deaths after the population is founded."""
    threads: Threads = 1
    largest: Share = 0.05
    """The largest size that is not left out, as a share of the heap."""

    def __post_init__(self) -> None:
        self._rates()

    def trace(self, name: str) -> Trace:
        """The stream of events, which keeps the notes."""
        trace = super().trace(name)
        trace.chunks = self._events(trace.notes)
        return trace

    def events(self) -> Iterator[Any]:
        """The population's births, then chunks of births and deaths."""
        return self._events([])

    def _events(self, notes: list[str]) -> Iterator[Any]:
        """The events; notes down what the population is."""
        kept, note = self._rates()
        notes += note
        bits, population = np.random.PCG64(self.seed), populate(kept, self.heap)
        total = 0
        for chunk in self._founding(bits, population):
            total += len(chunk)
            yield chunk
        live = format_bytes(int(population.state[0].live))
        notes.append(
            f"the first {counted(total, 'event')} found the population: {live} in as many objects"
        )
        for start in range(0, self.ops, CHUNK):
            count = min(CHUNK, self.ops - start)
            chunk = no_events(count)
            which, where = random_bits(bits, count), random_bits(bits, count)
            self._spread(where, chunk)
            step(population, words_of(which), words_of(where << np.uint64(1)), chunk)
            yield chunk

    def _founding(self, bits: np.random.PCG64, population: Population) -> Iterator[Any]:
        """Chunks of births, until the heap is as large as it is to be."""
        state = population.state[0]
        while state.live < self.heap:
            chunk, words = no_events(CHUNK), random_bits(bits, CHUNK)
            self._spread(words, chunk)
            found(population, words_of(words), self.heap, chunk)
            yield chunk[: state.events]

    def _spread(self, words: Any, chunk: Any) -> None:
        """Let each event be of a random thread, if there are several."""
        if self.threads > 1:
            chunk.thread[:] = pick(words >> np.uint64(32), self.threads)

    def _rates(self) -> tuple[list[Rate], list[str]]:
        """The table without what is too large, and a note on that; InputError if none is left."""
        rates, most = read_rates(self.file), int(self.heap * self.largest)
        kept = [rate for rate in rates if rate.size <= most]
        if not is_playable(kept):
            raise InputError(
                f"{self.file}: no size of at most {format_bytes(most)}, {self.largest} of the heap "
                f"of {format_bytes(self.heap)}, is born and lives: give a larger heap"
            )
        scale = self.heap / sum(rate.size * rate.live for rate in kept)
        if sum(room(rate.live * scale) for rate in kept) > MAX_OBJECTS:
            raise InputError(
                f"{self.file}: a heap of {format_bytes(self.heap)} has too many objects, more than "
                f"{MAX_OBJECTS:,}: give a smaller one"
            )
        return kept, [_left_out(rates, kept, most)] if len(kept) < len(rates) else []


def _left_out(rates: list[Rate], kept: list[Rate], most: int) -> str:
    """The note on sizes that are too large."""
    bytes_live = sum(rate.size * rate.live for rate in rates)
    share = 1 - sum(rate.size * rate.live for rate in kept) / bytes_live
    return (
        f"left out {len(rates) - len(kept):,} of {len(rates):,} sizes, those above "
        f"{format_bytes(most)}: they hold {share:.1%} of the table's live bytes"
    )
