"""Bounds on the settings in a file of a sweep (see `rows_file`).

The time to compute the effects of settings grows with the number of settings, so a file may have
only a limited number. No bundled design has more than 14 parameters, so the bounds are generous.
"""

from __future__ import annotations

from collections import defaultdict

from allocsim.sweep.row import Row

MAX_SETTINGS = 64
"""Maximum number of settings in a row."""

MAX_KEYS = 100
"""Maximum number of different settings of an allocator in a file."""


class SettingBounds:
    """The settings that a file has named up to its current line."""

    def __init__(self) -> None:
        """Start before the first line."""
        self._keys: defaultdict[str, set[str]] = defaultdict(set)

    def fault(self, row: Row) -> str | None:
        """Add the settings of a row; return a message if they exceed a bound, or None."""
        if len(row.settings) > MAX_SETTINGS:
            return f"{len(row.settings):,} settings in a row; expected at most {MAX_SETTINGS}"
        keys = self._keys[row.allocator]
        keys.update(row.settings)
        if len(keys) > MAX_KEYS:
            return f"more than {MAX_KEYS} different settings of one allocator"
        return None
