"""Symbols: the functions and source lines of addresses in executables and libraries.

Symbols are read from the files on this machine (see `addr2line`). A file that is newer than the
recording is skipped, because it may not be the file that was recorded. The paths come from the
recording, which anyone may have written, so only regular files with an absolute path are read.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from math import inf
from pathlib import Path
from typing import NamedTuple

from allocsim.call_sites.addr2line import ADDR2LINE, frames_in
from allocsim.call_sites.elf_functions import in_named_functions
from allocsim.call_sites.frame import Frame, address_frame
from allocsim.call_sites.inlined_names import with_inlined_names
from allocsim.text import counted, printable

MAX_NAMED = 3
"""Maximum number of files that a note names."""


class Place(NamedTuple):
    """An address in a file."""

    path: bytes
    """Path of the executable or library."""
    offset: int
    """Offset in bytes of the calling instruction from the address at which the file was loaded."""


class Resolved(NamedTuple):
    """The frames of addresses, and notes about symbols that could not be read."""

    chains: list[list[Frame]]
    """Frames of each place, the innermost first. Inlined functions have frames too."""
    notes: list[str]
    """Sentences for the user about symbols that could not be read."""


def resolve(places: Sequence[Place], recording: str) -> Resolved:
    """Return the frames at each place; an unknown place has one frame with its address.

    `recording` is the path of the recording. If no such file exists, files of any age are read.
    """
    chains = [[address_frame(place.path, place.offset)] for place in places]
    by_path: dict[bytes, list[int]] = {}
    for number, place in enumerate(places):
        by_path.setdefault(place.path, []).append(number)
    readable = {path: numbers for path, numbers in by_path.items() if _is_file(path)}
    if readable and shutil.which(ADDR2LINE) is None:
        note = f"functions and lines of call sites are not known: {ADDR2LINE} is not installed"
        return Resolved(chains, [f"{note} (apt install binutils)"])
    recorded = _modified(recording) or inf
    newer = [path for path in readable if _modified(os.fsdecode(path)) > recorded]
    failed = list[bytes]()
    for path in sorted(readable.keys() - newer):
        numbers = readable[path]
        resolved = _frames_in(path, [places[number].offset for number in numbers])
        if resolved is None:
            failed.append(path)
            continue
        for number, chain in zip(numbers, resolved, strict=False):
            chains[number] = chain or chains[number]
    reasons = ((newer, "is newer than the recording"), (failed, "cannot be read"))
    return Resolved(chains, [note for paths, reason in reasons for note in _notes(paths, reason)])


def _frames_in(path: bytes, offsets: list[int]) -> list[list[Frame]] | None:
    """Return the frames at each offset, [] if they are not known, or None if addr2line fails."""
    chains = frames_in(path, offsets)
    if chains is None:
        return None
    chains = with_inlined_names(path, offsets, chains)
    # If the source file is unknown, the name may be another function's (see `elf_functions`).
    doubtful = [number for number, chain in enumerate(chains) if chain and not chain[0].file]
    doubtful = [number for number in doubtful if number < len(offsets)]
    is_named = in_named_functions(os.fsdecode(path), [offsets[number] for number in doubtful])
    for number, keep in zip(doubtful, is_named.tolist(), strict=True):
        chains[number] = chains[number] if keep else []
    return chains


def _is_file(path: bytes) -> bool:
    """Return whether a path is absolute and refers to a regular file."""
    try:
        return path.startswith(b"/") and Path(os.fsdecode(path)).is_file()
    except (OSError, ValueError):
        return False


def _modified(path: str) -> float:
    """Return a file's modification time in seconds since 1970, or 0 if the file is missing."""
    try:
        return Path(path).stat().st_mtime if path else 0.0
    except (OSError, ValueError):
        return 0.0


def _notes(paths: list[bytes], reason: str) -> list[str]:
    """Return a sentence that names the first MAX_NAMED files, or [] if there are no files."""
    if not paths:
        return []
    named = ", ".join(printable(os.fsdecode(path)[:100]) for path in paths[:MAX_NAMED])
    more = f" and {counted(len(paths) - MAX_NAMED, 'other file')}" if len(paths) > MAX_NAMED else ""
    subject = "the file" if len(paths) == 1 else "each file"
    return [f"functions of call sites in {named}{more} are not known: {subject} {reason}"]
