"""Bounds on the settings in a file of rows.

The time to compute the effects of settings grows with the number of settings, so a file may have
only a limited number. A bundled design has at most 14 parameters.
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
        """Add a row; return which bound it exceeds, or None."""
        if len(row.settings) > MAX_SETTINGS:
            return f"{len(row.settings):,} settings in a row; expected at most {MAX_SETTINGS}"
        keys = self._keys[row.allocator]
        keys.update(row.settings)
        if len(keys) > MAX_KEYS:
            return f"more than {MAX_KEYS} different settings of one allocator"
        return None
