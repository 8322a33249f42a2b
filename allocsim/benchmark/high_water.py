"""The peak RSS that the kernel records. The readings of `meter` can miss a short peak."""

from __future__ import annotations

import contextlib
from pathlib import Path

from allocsim.benchmark.meter import Meter, status_bytes


class HighWater:
    """The peak RSS of this process (VmHWM) since this object was created, in bytes."""

    def __init__(self) -> None:
        """Reset the kernel's peak to the current RSS, if that is possible."""
        self.begun: int | None = None
        """RSS when the peak was reset. None if it could not be reset."""
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", "ascii")  # 5 resets VmHWM (proc(5))
            self.begun = status_bytes("VmRSS")
        self.files = _mapped_files()

    def growth(self) -> int | None:
        """Return how much the peak has grown, file pages included, or None if it was not reset."""
        return None if self.begun is None else status_bytes("VmHWM") - self.begun

    def anonymous_growth(self, meter: Meter) -> int:
        """Return a lower bound for the growth of the peak of anonymous RSS, or 0 if unknown.

        The growth of file pages up to now is subtracted. File pages stay resident once they are
        read, so at the peak, their growth was at most this large. On a system where STATM is not
        exact (see `meter`), VmHWM is not exact either, and the result is 0.
        """
        growth = self.growth()
        if growth is None or not meter.settings[0].fast:
            return 0
        return growth - max(_mapped_files() - self.files, 0)


def _mapped_files() -> int:
    """Return the RSS of files and shared memory, in bytes."""
    return status_bytes("RssFile") + status_bytes("RssShmem")
