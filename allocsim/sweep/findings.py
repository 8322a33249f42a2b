"""Findings from a sweep's results: the best subjects, the effect of settings.

Figures of different workloads are compared as ratios to the best subject of each workload. Means of
ratios are geometric.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from statistics import fmean, median

from allocsim.spread import MAX_SPREAD
from allocsim.sweep.axis import UNSET, number_in
from allocsim.sweep.results import Figures, Results, complete

PEAKS, TIMES = "peaks", "times"
"""The figures of a `Column` that are compared."""

CLOSE = 0.005
"""Relative difference up to which two figures count as equally good, because two measurements of a
library may differ by this much."""


Ranges = Mapping[str, tuple[float, float]]
"""The (lower, upper) ends of the interquartile range of each subject's measurements."""


@dataclass(frozen=True)
class Overall:
    """A subject's result over all workloads, by one figure."""

    subject: str
    mean: float
    """Geometric mean of the ratios to the best subject of each workload."""
    best: float
    """The smallest of these ratios."""
    worst: float
    """The largest of these ratios."""
    worst_on: str
    """The workload with the largest ratio."""


@dataclass(frozen=True)
class Effect:
    """The main effect of a setting on one figure."""

    allocator: str
    key: str
    levels: dict[str, float]
    """For each value: the geometric mean of the figure over all workloads and all combinations of
    the other settings, relative to the mean over all values."""
    combinations: int
    """Number of combinations of workload and other settings in which every value was measured."""
    noise: float
    """An effect with a smaller `size` may be noise."""

    @property
    def size(self) -> float:
        """Ratio of the figure at the worst value to the figure at the best value, minus 1."""
        return max(self.levels.values()) / min(self.levels.values()) - 1

    @property
    def best(self) -> str | None:
        """The value with the smallest figure, or None if the effect may be noise."""
        if self.size < self.noise:
            return None
        return min(self.levels, key=self.levels.__getitem__)


def ranking(figures: Figures, settings: Mapping[str, int]) -> list[str]:
    """Sort subjects by a figure, and those with the same figure by their number of settings."""
    return sorted(figures, key=lambda name: (figures[name], settings[name], name))


def alike(results: Results, ranked: Sequence[tuple[str, float]]) -> list[tuple[str, int]]:
    """Group the subjects of an allocator that have the same figure.

    `ranked` is (subject, figure), sorted by figure. Returns the first subject of each group, and
    how many others are in it.
    """
    groups: dict[tuple[str, float], list[str]] = {}
    for name, figure in ranked:
        groups.setdefault((results.subjects[name].allocator, figure), []).append(name)
    return [(names[0], len(names) - 1) for names in groups.values()]


def recommended(
    figures: Figures, settings: Mapping[str, int], ranges: Ranges | None = None
) -> tuple[str, int]:
    """Return the subject with the fewest settings among those that are as good as the best.

    Also returns how many others are as good. A subject is as good as the best if its figure is
    within CLOSE of the best figure, or if its range overlaps that of the best. Settings carry a
    risk, so such a small advantage does not justify more of them.

    `ranges` has the (lower, upper) ends of the subjects in `figures`. If it is None, the figures
    are exact.
    """
    ends = ranges or {name: (figure, figure) for name, figure in figures.items()}
    best = min(figures, key=figures.__getitem__)
    limit = max(figures[best] * (1 + CLOSE), ends[best][1])
    close = [name for name in figures if ends[name][0] <= limit]
    return min(close, key=lambda name: (settings[name], figures[name], name)), len(close) - 1


def overall_ranges(results: Results) -> Ranges:
    """Return the range of the mean time of each subject that has a range on every workload.

    Like `Overall.mean`, the ends are geometric means of ratios to the best subject of a workload.
    """
    ranges = [column.time_ranges for column in results.columns]
    lowest = [min(column.times.values(), default=1.0) for column in results.columns]
    return {
        name: (
            geometric([each[name][0] / low for each, low in zip(ranges, lowest, strict=True)]),
            geometric([each[name][1] / low for each, low in zip(ranges, lowest, strict=True)]),
        )
        for name in results.subjects
        if ranges and all(name in each for each in ranges)
    }


def noise(results: Results, figure: str) -> float:
    """Return the largest relative difference that may be noise.

    For peaks, it is CLOSE. For times, each interquartile range is divided by its time; the result
    is the median of these ratios, but at least CLOSE. If no time was measured repeatedly, the
    result is MAX_SPREAD.
    """
    if figure != TIMES:
        return CLOSE
    widths = [
        (high - low) / column.times[name]
        for column in results.columns
        for name, (low, high) in column.time_ranges.items()
    ]
    return max(CLOSE, median(widths)) if widths else MAX_SPREAD


def overall(results: Results, figure: str) -> list[Overall]:
    """Return the subjects that were measured on every workload, the best one first."""
    columns: list[Figures] = [getattr(column, figure) for column in results.columns]
    lowest = [min(column.values(), default=1.0) for column in columns]
    labels = [column.label for column in results.columns]
    entries = [
        _overall(name, [value / low for value, low in zip(values, lowest, strict=True)], labels)
        for name, values in complete(results, figure)
    ]
    counts = results.setting_counts
    return sorted(entries, key=lambda each: (each.mean, counts[each.subject], each.subject))


def _overall(name: str, ratios: list[float], labels: Sequence[str]) -> Overall:
    """Return the entry of a subject; `ratios` are relative to the best subject of each workload."""
    worst = max(ratios)
    return Overall(name, geometric(ratios), min(ratios), worst, labels[ratios.index(worst)])


def geometric(values: Sequence[float]) -> float:
    """Return the geometric mean of numbers of at least 0; it is 0 if one of them is 0."""
    return exp(fmean(map(log, values))) if all(values) else 0.0


def effects(results: Results, figure: str) -> list[Effect]:
    """Return the main effect of every setting with several values, the largest first."""
    may_be_noise = noise(results, figure)
    all_effects = [
        Effect(allocator, key, levels, combinations, may_be_noise)
        for allocator, keys in _keys(results).items()
        for key in keys
        for levels, combinations in [_levels(results, figure, allocator, key)]
        if len(levels) > 1
    ]
    return sorted(all_effects, key=lambda each: -each.size)


def _keys(results: Results) -> dict[str, dict[str, None]]:
    """Return, for each allocator, the settings that occur in a sweep, in order of appearance."""
    keys: dict[str, dict[str, None]] = {}
    for subject in results.subjects.values():
        keys.setdefault(subject.allocator, {}).update(dict.fromkeys(subject.settings))
    return keys


def table(
    results: Results, figure: str, allocator: str, keys: Sequence[str]
) -> dict[tuple[str, ...], float]:
    """Return the mean figure for each combination of the values of some settings.

    The settings are `keys`. The mean is geometric, over all groups; a group is a workload with a
    combination of the other settings. A group counts only if every combination of the values of
    `keys` was measured in it. Each figure is relative to the mean of all returned figures. Returns
    {} if no group counts.
    """
    return _means(_full_groups(results, figure, allocator, keys))


def _full_groups(
    results: Results, figure: str, allocator: str, keys: Sequence[str]
) -> list[dict[tuple[str, ...], float]]:
    """Return the groups in which every combination of values of `keys` was measured."""
    groups = _groups(results, figure, allocator, keys)
    levels = {level for group in groups for level in group}
    return [group for group in groups if len(group) == len(levels)]


def _means(full: Sequence[Mapping[tuple[str, ...], float]]) -> dict[tuple[str, ...], float]:
    """Return the mean over groups for each combination of values, relative to the mean of all."""
    levels = sorted(full[0], key=_by_number) if full else []
    if not levels:
        return {}
    means = {level: geometric([group[level] for group in full]) for level in levels}
    whole = geometric(list(means.values()))
    return {level: mean / whole for level, mean in means.items()}


def _by_number(level: tuple[str, ...]) -> list[tuple[bool, int, str]]:
    """Return a sort key that puts words such as UNSET first, and then numbers in their order."""
    return [((n := number_in(text)) is not None, n or 0, text) for text in level]


def _levels(
    results: Results, figure: str, allocator: str, key: str
) -> tuple[dict[str, float], int]:
    """Return the mean for each value of a setting, and the number of combinations used."""
    full = _full_groups(results, figure, allocator, [key])
    return {level: mean for (level,), mean in _means(full).items()}, len(full)


def _groups(
    results: Results, figure: str, allocator: str, keys: Sequence[str]
) -> list[dict[tuple[str, ...], float]]:
    """Group the figures of an allocator by workload and other settings, then by `keys`."""
    groups: dict[tuple[object, ...], dict[tuple[str, ...], float]] = {}
    for index, settings, value in results.measured.get((figure, allocator), ()):
        others = frozenset((k, v) for k, v in settings.items() if k not in keys)
        level = tuple(settings.get(key, UNSET) for key in keys)
        groups.setdefault((index, others), {})[level] = value
    return list(groups.values())
