"""Designs of installed packages: entry points of the group `allocsim.designs`."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points

from allocsim.designs.complete import complete
from allocsim.designs.design import Design
from allocsim.errors import InputError

GROUP = "allocsim.designs"
"""The group of entry points under which packages register designs."""


def installed_designs() -> dict[str, EntryPoint]:
    """Return the entry points by name. Nothing is imported."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def installed_summary(entry: EntryPoint) -> str:
    """Return one line about an installed design, from the metadata of its package."""
    if entry.dist is None:
        return entry.value
    summary = entry.dist.metadata["Summary"]
    return f"{summary or entry.value} ({entry.dist.name} {entry.dist.version})"


def load_installed(entry: EntryPoint) -> Design:
    """Import an installed design; raise InputError if that fails or the design is not valid."""
    source = f"the installed design '{entry.name}' ({entry.value})"
    try:
        design = entry.load()
    except (Exception, SystemExit) as error:
        raise InputError(f"{source}: {type(error).__name__}: {error}") from error
    return complete(design, source)
