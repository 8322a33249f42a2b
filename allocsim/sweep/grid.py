"""The grid of a sweep: every subject with every combination of its settings.

An axis is a setting and the values that it takes. The combinations are generated one after the
other, so that many combinations take no memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

from allocsim.benchmark.subject import library_of, require_subject
from allocsim.errors import InputError, UnknownName
from allocsim.sweep.axis import UNSET, Axis, settings_in, settings_of


@dataclass(frozen=True)
class Subjects:
    """The subjects of a grid: allocators, and for each of them the axes that apply to it."""

    axes: dict[str, list[Axis]]
    """For each subject that the user named: the axes that apply to it, in the user's order."""

    def __len__(self) -> int:
        """Return the number of subjects, where each combination of settings counts as a subject."""
        return sum(prod(len(axis.values) for axis in axes) for axes in self.axes.values())

    def __iter__(self) -> Iterator[str]:
        """Yield the subjects; the last axis changes fastest."""
        for name, axes in self.axes.items():
            keys = [axis.key for axis in axes]
            for values in product(*(axis.values for axis in axes)):
                yield with_settings(name, dict(zip(keys, values, strict=True)))

    def notes(self) -> list[str]:
        """Return a sentence for each subject that lacks a setting given for all subjects."""
        keys = {axis.key for axes in self.axes.values() for axis in axes if axis.subject is None}
        return [
            f"{name} has no setting {', '.join(missing)}"
            for name, axes in self.axes.items()
            if (missing := sorted(keys - {axis.key for axis in axes}))
        ]


def with_settings(name: str, settings: dict[str, str]) -> str:
    """Return a subject's name with further settings; those with the value UNSET are left out."""
    return ":".join([name, *(f"{key}={text}" for key, text in settings.items() if text != UNSET)])


def make_subjects(names: Sequence[str], axes: Sequence[Axis]) -> Subjects:
    """Combine the subjects with the axes that apply to each, and check every value.

    `names` come from `choose_subjects`. Raises InputError if an axis applies to no subject, if a
    subject gets the same setting twice (from its name or from axes), or if a value is invalid.
    """
    applying = {name: [axis for axis in axes if axis.applies_to(name)] for name in names}
    for axis in axes:
        if not any(axis in own_axes for own_axes in applying.values()):
            raise _without_subject(axis, names)
    for name, own_axes in applying.items():
        keys = [*settings_in(name), *(axis.key for axis in own_axes)]
        twice = next((key for key in keys if keys.count(key) > 1), None)
        if twice is not None:
            raise InputError(f"the setting {twice} of {name} is given twice")
        for axis in own_axes:
            _require_values(name, axis)
    return Subjects(applying)


def _require_values(name: str, axis: Axis) -> None:
    """Raise InputError if a value of an axis is invalid for a subject."""
    for value in axis.values:
        if library_of(name) is not None and "/" in value:
            raise InputError(f"{axis.key}={value}: a setting of a library cannot contain a slash")
        if value != UNSET:
            require_subject(with_settings(name, {axis.key: value}))


def _without_subject(axis: Axis, names: Sequence[str]) -> InputError:
    """Return the error for an axis that applies to no subject."""
    if axis.subject is not None:
        return InputError(
            f"'{axis.subject}:{axis.key}' applies to no subject of the sweep; expected one of: "
            f"{', '.join(names)}"
        )
    known = {key for name in names for key in settings_of(name)}
    return UnknownName("setting", axis.key, known)
