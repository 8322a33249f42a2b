"""One-line messages for errors in the code of a design file.

Numba's own messages are up to a hundred lines long.
"""

from __future__ import annotations

import re
import traceback

from allocsim.designs.from_file import loaded_files

MAX_REASON = 200
"""Maximum number of characters of Numba's reason that are shown."""

_REASONS = (
    re.compile(r"^\s*(\w+Error: (?!Failed in nopython).+)$", re.M),
    re.compile(r"^\s*((?:Unknown attribute|Cannot unify|Invalid use of) .+)$", re.M),
    re.compile(
        r"^\s*(No implementation of function (?!Function\(<function operation).+?)"
        r"(?: found for signature:)?$",
        re.M,
    ),
)
"""Patterns that find the reason in a message of Numba, specific ones first. If the kernel for an
operation (see `core.jit.operation`) does not compile, Numba also says that the operation has no
implementation. That is only a consequence, so the last pattern skips it."""


def explain(error: BaseException) -> str | None:
    """Return a message for an error that a design file caused, or None for any other error."""
    frames = traceback.extract_tb(error.__traceback__)
    for path, name in loaded_files().items():
        if lines := [frame.lineno for frame in frames if frame.filename == path]:
            return f"{name}, line {lines[-1]}: {type(error).__name__}: {error}"
        if any(f"{path} (" in line for line in str(error).splitlines()):
            return _does_not_compile(error, f"{name}{_line_in(str(error), path)}")
    # For a misspelt field Numba gives no file and line, since the lookup fails inside the compiler.
    if loaded_files() and any("/numba/core/" in frame.filename for frame in frames):
        return _does_not_compile(error, ", ".join(loaded_files().values()))
    return None


def _does_not_compile(error: BaseException, location: str) -> str:
    """Return the message for a kernel that Numba rejects."""
    reason_match = next(filter(None, (each.search(str(error)) for each in _REASONS)), None)
    reason = reason_match[1] if reason_match else f"{type(error).__name__}: {str(error).strip()}"
    return (
        f"{location}: a kernel does not compile: {reason[:MAX_REASON]}; "
        "with NUMBA_DISABLE_JIT=1 it runs as plain Python"
    )


def _line_in(message: str, path: str) -> str:
    """Return ", line N" for the first line of `path` that Numba's message names, or ""."""
    match = re.search(re.escape(path) + r" \((\d+)\)", message)
    return f", line {match[1]}" if match else ""
