"""Cells: everything that a worker needs for one measurement, except the events."""

from __future__ import annotations

import msgspec

from allocsim.benchmark.subject import library_of
from allocsim.driver import Touch
from allocsim.sweep.axis import allocator_of, settings_in
from allocsim.sweep.row import Row, cell_key


class Cell(msgspec.Struct, kw_only=True, frozen=True):
    """One measurement of one subject on one workload."""

    workload: str
    trace: str
    """SHA-256 of the events (see `sweep.workload`)."""
    events: int
    threads: int
    recorded: bool
    """Whether the events are on several threads."""
    seed: int | None = None
    subject: str
    measure: str
    """"memory" or "times"."""
    touch: str
    """Name of a Touch, in lower case."""
    replay: str = "recorded"
    limit: int | None = None
    reserve: int
    timeout: float
    """Seconds after which the cell has failed, not counting the time to compile kernels."""
    runs: int = 5
    warmup: int = 1
    sharers: int = 1
    """Number of cells that run on a machine at once and share its memory."""
    keep_settings: bool = False
    """Whether to leave the user's malloc settings in the environment."""

    @property
    def key(self) -> bytes:
        """The bytes that identify the cell and its row (see `cell_key`)."""
        return cell_key(self.trace, self.subject, self.measure, self.touch, self.replay)

    @property
    def touched(self) -> Touch:
        """The choice of bytes that are written in each new object."""
        return Touch[self.touch.upper()]

    def row(self, **result: object) -> Row:
        """Return the row of this cell with its result."""
        return msgspec.convert(
            {
                "allocator": allocator_of(self.subject),
                "settings": settings_in(self.subject),
                "reserve": self.reserve if library_of(self.subject) is None else None,
                "warmup": self.warmup if self.measure == "times" else None,
                **{name: getattr(self, name) for name in _COPIED},
                **result,
            },
            Row,
            from_attributes=True,
        )


_COPIED = (
    *("workload", "trace", "events", "threads", "seed", "subject", "measure", "touch", "replay"),
    *("limit", "timeout"),
)
"""Fields that a cell and its row have in common."""
