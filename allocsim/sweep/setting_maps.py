"""Maps of two settings: the footprint of an allocator for each pair of their values."""

from __future__ import annotations

from dataclasses import dataclass

from allocsim.sweep.findings import PEAKS, effects, table
from allocsim.sweep.results import Results

MAX_VALUES = 24
"""Maximum number of values of a setting in a map."""

LEVELS = 5
"""Number of colours for the ratios of a map, from the smallest ratio to the largest."""


@dataclass(frozen=True)
class SettingMap:
    """The mean peak footprint of an allocator for each pair of the values of two settings."""

    allocator: str
    keys: tuple[str, str]
    """The setting whose values are the rows, and the setting whose values are the columns."""
    ratios: dict[tuple[str, ...], float]
    """The mean footprint by (value of the row, value of the column), relative to the smallest mean.
    A pair without a successful measurement is missing."""

    @property
    def down(self) -> list[str]:
        """The values of the first setting."""
        return list(dict.fromkeys(down for down, _ in self.ratios))

    @property
    def across(self) -> list[str]:
        """The values of the second setting."""
        return list(dict.fromkeys(across for _, across in self.ratios))

    @property
    def max_ratio(self) -> float:
        """The largest ratio."""
        return max(self.ratios.values())

    def level(self, ratio: float) -> int:
        """Return the level of a ratio, which selects its colour: from 0 to LEVELS - 1."""
        return position(ratio, 1.0, self.max_ratio, LEVELS)


def setting_maps(results: Results) -> list[SettingMap]:
    """Return, for each allocator, a map of the two settings that affect its footprint most.

    An allocator has no map if fewer than two of its settings have several values, or if a setting
    of its map would have more than MAX_VALUES values.
    """
    ranked = effects(results, PEAKS)
    maps = []
    for allocator in dict.fromkeys(effect.allocator for effect in ranked):
        keys = [effect.key for effect in ranked if effect.allocator == allocator][:2]
        means = table(results, PEAKS, allocator, keys) if len(keys) == 2 else {}
        if means:
            lowest = min(means.values())
            ratios = {pair: mean / lowest for pair, mean in means.items()}
            maps.append(SettingMap(allocator, (keys[0], keys[1]), ratios))
    return [each for each in maps if max(len(each.down), len(each.across)) <= MAX_VALUES]


def position(value: float, low: float, high: float, places: int) -> int:
    """Scale a value between `low` and `high` to an integer from 0 to places - 1."""
    return min(int((value - low) / (high - low) * places), places - 1) if high > low else 0
