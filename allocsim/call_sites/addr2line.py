"""The functions and source lines at addresses in a file, found by addr2line (binutils).

addr2line runs without access to debuginfod servers, and its run time is limited.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator

from allocsim.call_sites.frame import Frame, make_frame
from allocsim.tool_run import run_tool

ADDR2LINE = "addr2line"

TIMEOUT = 60.0
"""Maximum run time of addr2line for one file, in seconds."""

MAX_INLINED = 32
"""Maximum number of frames at one address: a function and the functions inlined into it."""

_LINE = re.compile(rb"(.*):([0-9]{1,9})(?: \(discriminator [0-9]+\))?")
_NO_NETWORK = ("DEBUGINFOD_URLS",)
"""Environment variables that make addr2line ask a server for debug information."""


def frames_in(path: bytes, offsets: list[int]) -> list[list[Frame]] | None:
    """Return the frames at each offset in a file, the innermost first, or None if addr2line fails.

    The list of an offset is empty if its function is not known, and has several frames if functions
    were inlined there.
    """
    output = _output(path, offsets)
    return None if output is None else [*_chains(output, path)]


def _output(path: bytes, offsets: list[int]) -> bytes | None:
    """Return the output of addr2line for offsets in a file, or None if it fails."""
    command = [ADDR2LINE, "-f", "-C", "-i", "-a", "-e", os.fsdecode(path)]
    environment = {name: value for name, value in os.environ.items() if name not in _NO_NETWORK} | {
        "LC_ALL": "C"
    }
    try:
        ended = run_tool(command, environment, "\n".join(map(hex, offsets)).encode(), TIMEOUT)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return ended.stdout if ended.returncode == 0 else None


def _chains(output: bytes, path: bytes) -> Iterator[list[Frame]]:
    """Yield the frames of each address in addr2line's output, or [] if the function is not known.

    For each address, the output has a line with the address, then two lines for each frame: the
    function and FILE:LINE.
    """
    lines = iter(output.split(b"\n"))
    frames: list[Frame] | None = None
    for line in lines:
        if line.startswith(b"0x") and line[2:].isalnum():
            if frames is not None:
                yield frames
            frames = []
        elif frames is not None and len(frames) < MAX_INLINED:
            location = next(lines, b"")
            if line not in (b"", b"??"):
                frames.append(_frame(line, location, path))
    if frames is not None:
        yield frames


def _frame(function: bytes, location: bytes, path: bytes) -> Frame:
    """Return the frame of a function at FILE:LINE. If unknown, FILE is ??, and LINE is 0 or ?."""
    match = _LINE.fullmatch(location)
    file, line = (match[1], int(match[2])) if match else (location.rpartition(b":")[0], 0)
    return make_frame(function, b"" if file == b"??" else file, line, path)
