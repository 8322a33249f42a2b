"""Names of inlined C++ functions that are local to their file: static, or in an unnamed namespace.

If such a function is the innermost one at an address, addr2line (binutils 2.40) prints a wrong
name. It reads the symbol table, which has only the function into which all others are inlined. If
the file has no symbol table, addr2line reads the right name from the debug information. Therefore
objcopy makes a copy without a symbol table, and the names are read from this copy.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from allocsim.call_sites.addr2line import TIMEOUT, frames_in
from allocsim.call_sites.frame import Frame
from allocsim.temporary_directory import temporary_directory
from allocsim.tool_run import run_tool

OBJCOPY = "objcopy"

MAX_FILE = 256 << 20
"""Maximum bytes of a file that is copied."""


def with_inlined_names(
    path: bytes, offsets: list[int], chains: list[list[Frame]]
) -> list[list[Frame]]:
    """Return the chains with the right names.

    A chain is the list of frames at one of the offsets in the file, the innermost frame first. If
    the right names cannot be read, a chain is returned unchanged.
    """
    doubtful = [number for number, chain in enumerate(chains) if _is_doubtful(chain)]
    doubtful = [number for number in doubtful if number < len(offsets)]
    if not doubtful:
        return chains
    renamed_chains = _without_symbols(path, [offsets[number] for number in doubtful])
    named = dict(zip(doubtful, renamed_chains, strict=False))
    return [_renamed(chain, named.get(number, [])) for number, chain in enumerate(chains)]


def _is_doubtful(chain: list[Frame]) -> bool:
    """Return whether the innermost of several functions has the name of the outermost one."""
    return len(chain) > 1 and chain[0].function == chain[-1].function


def _renamed(chain: list[Frame], named: list[Frame]) -> list[Frame]:
    """Return `chain` with the names in `named`, if both have the same files and lines."""
    lines = [[(frame.file, frame.line) for frame in each] for each in (chain, named)]
    if lines[0] != lines[1]:
        return chain
    return [a._replace(function=b.function) for a, b in zip(chain, named, strict=True)]


def _without_symbols(path: bytes, offsets: list[int]) -> list[list[Frame]]:
    """Copy a file without its symbol table; return the frames at offsets in it, [] on failure."""
    try:
        if Path(os.fsdecode(path)).stat().st_size > MAX_FILE:
            return []
        with temporary_directory() as directory:
            copy = os.fsencode(directory / "copy")
            options = [OBJCOPY.encode(), b"--strip-all", b"--keep-section=.debug_*"]
            run_tool([*options, path, copy], seconds=TIMEOUT).check_returncode()
            return frames_in(copy, offsets) or []
    except (OSError, ValueError, subprocess.SubprocessError):  # no room for the copy, for example
        return []
