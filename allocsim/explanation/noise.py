"""Changes of a footprint that are too small to mean anything."""

from __future__ import annotations

MIN_NOISE = 1 << 20
"""A change of fewer bytes is noise, because allocators grow in steps of about this size."""

NOISE_SHARE = 50
"""A change of less than footprint / NOISE_SHARE is noise too."""


def is_noise(footprint: int, change: int) -> bool:
    """Return whether a change in bytes is noise; `footprint` is the footprint before the change."""
    return abs(change) < max(MIN_NOISE, footprint // NOISE_SHARE)
