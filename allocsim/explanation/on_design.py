"""The replays that `explain` makes on a design (a simulated allocator). All run in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from allocsim.benchmark.comparison import Conditions
from allocsim.benchmark.subject import design_of, make_subject
from allocsim.core import operations
from allocsim.designs import find_design
from allocsim.events import Op, Trace, no_events, on_one_thread
from allocsim.explanation.design_map import map_of, play_until, stops
from allocsim.explanation.heap_map import HeapMap
from allocsim.explanation.snapshots import Snapshot, snapshot_of
from allocsim.explanation.threads import Threads
from allocsim.explanation.variants import Variant
from allocsim.heap import Heap
from allocsim.moments import Moment
from allocsim.player import Options, Player, replay_trace


@dataclass(frozen=True)
class OnDesign:
    """Replays on a design. `open_trace` opens the workload again."""

    name: str
    """The design and its settings, as `compare --on` names them."""
    open_trace: Callable[[], Trace]
    conditions: Conditions = field(default_factory=Conditions)

    release = "release free memory"
    """The request to release memory, as reports name it."""
    copied = "replayed"
    """A word for reports. The experiments of `after_release` on a design are new replays; those on
    a library are done in a copy of the process."""
    cautions: tuple[str, ...] = ()

    @property
    def unit(self) -> str:
        """The name of a unit of the map, for reports (see `Design.unit`)."""
        return find_design(design_of(self.name)[0]).unit

    def moments(self) -> tuple[Moment, ...]:
        """Replay the whole workload and return its moments, such as the peak."""
        with self._heap() as heap:
            return replay_trace(heap, self._threaded(self.open_trace()), self._options()).moments

    def threads(self, count: int) -> Threads:
        """Return how the workload's `count` threads are replayed."""
        return Threads(count, self.conditions.recorded)

    def map_at(self, event: int) -> HeapMap:
        """Replay up to a moment and return the map of the heap."""
        with self._played(event) as (heap, player):
            return map_of(heap, player)

    def snapshots(self, events: Sequence[int]) -> list[Snapshot]:
        """Return a snapshot of the heap after each of these ascending numbers of events."""
        with self._heap() as heap:
            player = Player(heap, self._options(), events[-1] if events else None)
            trace = self._threaded(self.open_trace())
            return [snapshot_of(map_of(heap, player)) for _ in stops(player, trace, events)]

    def footprint_of(self, part: Variant) -> int:
        """Replay a variant of the workload and return the footprint at its end, in bytes."""
        with self._heap() as heap:
            play_until(heap, self._threaded(part.alone()), None, self._options())
            return int(operations.footprint(heap.state))

    def footprint_at(self, event: int) -> int:
        """Replay the first `event` events and return the footprint in bytes."""
        with self._played(event) as (heap, _):
            return int(operations.footprint(heap.state))

    def side_by_side(self) -> int:
        """Return how many replays to run at once: one, since they all run in this process."""
        return 1

    def after_release(self, event: int, freed: Sequence[np.ndarray]) -> list[tuple[int, int]]:
        """Free objects, then release memory; return the footprint after each of the two steps.

        Each element of `freed` is one experiment: the ids of objects that are live after `event`
        events. The result has a pair of footprints in bytes for each experiment. The release covers
        all free pages that the design can release.
        """
        return [self._after_release(event, numbers) for numbers in freed]

    def _after_release(self, event: int, numbers: np.ndarray) -> tuple[int, int]:
        """Return the footprints in bytes of one experiment of `after_release`."""
        with self._played(event) as (heap, player):
            player.replay_chunk(frees(numbers))
            before_release = int(operations.footprint(heap.state))
            operations.release(heap.state, int(heap.state.system[0].heap))
            return before_release, int(operations.footprint(heap.state))

    def sharing(self, _count: int) -> OnDesign:
        """Return this subject. Its replays run one at a time, so each may use all memory."""
        return self

    @contextmanager
    def _played(self, event: int) -> Iterator[tuple[Heap, Player]]:
        """Replay up to a moment and yield the heap and the player."""
        with self._heap() as heap:
            trace = self._threaded(self.open_trace())
            yield heap, play_until(heap, trace, event, self._options())

    def _threaded(self, trace: Trace) -> Trace:
        """Return the trace with its recorded threads, or with all events on one thread."""
        return trace if self.conditions.recorded else on_one_thread(trace)

    def _heap(self) -> Heap:
        """Return a new heap of the design, with its settings."""
        heap = make_subject(self.name, self.conditions.reserve).heap
        assert heap is not None
        return heap

    def _options(self) -> Options:
        """Return the settings of each replay."""
        return Options(touch=self.conditions.touch, limit=self.conditions.limit)


def frees(numbers: np.ndarray) -> Any:
    """Return events that free the objects with these ids."""
    events = no_events(len(numbers))
    events.object[:] = numbers
    events.op[:] = Op.FREE
    return events
