"""Replay workloads under a table of size classes. The figures decide between tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from allocsim.designs.table_parameter import KEY, OWN
from allocsim.driver import Touch
from allocsim.heap import Heap
from allocsim.player import Options, Player
from allocsim.tuning.workload import Workload


@dataclass(frozen=True)
class Replayed:
    """Figures of a replay, in bytes."""

    in_spans: int
    """Peak of the bytes in the spans in use: heap - free_spans - released. These bytes are read at
    up to 2,000 samples, and when live bytes are at their peak."""
    mean_in_spans: int
    """Mean of the bytes in the spans in use, over the samples."""
    footprint: int
    """Peak footprint."""
    parts: dict[str, int]
    """The parts of the heap at the peak of live bytes."""


@dataclass(frozen=True)
class Replayer:
    """Replays workloads on a design."""

    design: str
    settings: Mapping[str, int | str]
    """Parameters of the design, without the table."""
    reserve: int

    def replay(self, workload: Workload, table: Sequence[int] | None) -> Replayed:
        """Replay a workload under a table, or under the design's own table if it is None.

        The program's writes to its objects are left out, because they change no figure.
        """
        own_or_sizes = OWN if table is None else ",".join(map(str, table))
        parameters = {**self.settings, KEY: own_or_sizes}
        with Heap(self.design, reserve=self.reserve, **parameters) as heap:
            player = Player(heap, Options(touch=Touch.NONE), len(workload.events))
            player.replay_chunk(workload.events[: workload.peak_position])
            at_peak = player.profile()
            player.replay_chunk(workload.events[workload.peak_position :])
            profile = player.profile()
        samples = profile.samples
        used = samples["heap"] - samples["free_spans"] - samples["released"]
        parts = at_peak.at_end.parts
        now = at_peak.at_end.heap - parts["free_spans"] - parts["released"]
        return Replayed(
            in_spans=max(int(used.max()), now),
            mean_in_spans=int(used.mean()),
            footprint=profile.at_peak.footprint,
            parts=parts,
        )
