"""Symbols: the functions and source lines of addresses in executables and libraries.

addr2line (binutils) reads them from the files on this machine. A file that is newer than the
recording is skipped, because it may not be the file that was recorded. The paths come from the
recording, which anyone may have written. So only regular files with an absolute path are read,
addr2line is kept from asking a debuginfod server, and its run time is limited.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from math import inf
from pathlib import Path
from typing import NamedTuple

from allocsim.call_sites.elf_functions import in_named_functions
from allocsim.call_sites.frame import Frame, address_frame, make_frame
from allocsim.text import counted, printable

ADDR2LINE = "addr2line"

TIMEOUT = 60.0
"""Maximum run time of addr2line for one file, in seconds."""

MAX_INLINED = 32
"""Maximum number of frames at one address: a function and the functions inlined into it."""

MAX_NAMED = 3
"""Maximum number of files that a note names."""

_LINE = re.compile(rb"(.*):([0-9]{1,9})(?: \(discriminator [0-9]+\))?")
_NO_NETWORK = ("DEBUGINFOD_URLS",)
"""Environment variables that make addr2line ask a server for debug information."""


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
    readable = {path: them for path, them in by_path.items() if _is_file(path)}
    if readable and shutil.which(ADDR2LINE) is None:
        note = f"functions and lines of call sites are not known: {ADDR2LINE} is not installed"
        return Resolved(chains, [f"{note} (apt install binutils)"])
    recorded = _modified(recording) or inf
    newer = [path for path in readable if _modified(os.fsdecode(path)) > recorded]
    failed = list[bytes]()
    for path in sorted(readable.keys() - newer):
        numbers = readable[path]
        found = _frames_in(path, [places[number].offset for number in numbers])
        if found is None:
            failed.append(path)
            continue
        for number, chain in zip(numbers, found, strict=False):
            chains[number] = chain or chains[number]
    reasons = ((newer, "is newer than the recording"), (failed, "cannot be read"))
    return Resolved(chains, [note for paths, reason in reasons for note in _notes(paths, reason)])


def _frames_in(path: bytes, offsets: list[int]) -> list[list[Frame]] | None:
    """Return the frames at each offset, [] if they are not known; None if addr2line fails."""
    output = _output(path, offsets)
    if output is None:
        return None
    found = [*_chains(output, path)]
    # Without a source file, the name may be that of another function (see `elf_functions`).
    doubtful = [number for number, chain in enumerate(found) if chain and not chain[0].file]
    doubtful = [number for number in doubtful if number < len(offsets)]
    is_named = in_named_functions(os.fsdecode(path), [offsets[number] for number in doubtful])
    for number, keep in zip(doubtful, is_named.tolist(), strict=True):
        found[number] = found[number] if keep else []
    return found


def _is_file(path: bytes) -> bool:
    """Return whether a path is absolute and refers to a regular file."""
    try:
        return path.startswith(b"/") and Path(os.fsdecode(path)).is_file()
    except (OSError, ValueError):
        return False


def _modified(path: str) -> float:
    """Return a file's modification time in seconds since 1970; 0 if the file is missing."""
    try:
        return Path(path).stat().st_mtime if path else 0.0
    except (OSError, ValueError):
        return 0.0


def _output(path: bytes, offsets: list[int]) -> bytes | None:
    """Return the output of addr2line for offsets in a file, or None if it fails."""
    command = [ADDR2LINE, "-f", "-C", "-i", "-a", "-e", os.fsdecode(path)]
    environment = {name: value for name, value in os.environ.items() if name not in _NO_NETWORK} | {
        "LC_ALL": "C"
    }
    try:
        ended = subprocess.run(
            command, input="\n".join(map(hex, offsets)).encode(), capture_output=True,
            check=False, timeout=TIMEOUT, env=environment,
        )  # fmt: skip
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return ended.stdout if ended.returncode == 0 else None


def _chains(output: bytes, path: bytes) -> Iterator[list[Frame]]:
    """Yield the frames of each address in addr2line's output; [] if the function is not known.

    For each address, the output has a line with the address, then two lines for each frame: the
    function and FILE:LINE.
    """
    lines = iter(output.split(b"\n"))
    found: list[Frame] | None = None
    for line in lines:
        if line.startswith(b"0x") and line[2:].isalnum():
            if found is not None:
                yield found
            found = []
        elif found is not None and len(found) < MAX_INLINED:
            place = next(lines, b"")
            if line not in (b"", b"??"):
                found.append(_frame(line, place, path))
    if found is not None:
        yield found


def _frame(function: bytes, place: bytes, path: bytes) -> Frame:
    """Return the frame of a function at FILE:LINE; both may be unknown, as in ??:0 or x.c:?."""
    match = _LINE.fullmatch(place)
    file, line = (match[1], int(match[2])) if match else (place.rpartition(b":")[0], 0)
    return make_frame(function, b"" if file == b"??" else file, line, path)


def _notes(paths: list[bytes], reason: str) -> list[str]:
    """Return a sentence that names the first MAX_NAMED files; [] if there are no files."""
    if not paths:
        return []
    named = ", ".join(printable(os.fsdecode(path)[:100]) for path in paths[:MAX_NAMED])
    more = f" and {counted(len(paths) - MAX_NAMED, 'other file')}" if len(paths) > MAX_NAMED else ""
    return [f"functions of call sites in {named}{more} are not known: the file {reason}"]
