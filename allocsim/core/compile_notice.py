"""The line on standard error that says what is being compiled and how long that takes.

Compiling takes many seconds in which nothing else happens, so it is always announced, even if
standard error is a log file or the Python API is used. Each process announces each group of kernels
once.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Callable

GROUPS = (
    ("allocsim.designs.go2008", "go2008 kernels", 7),
    ("allocsim.designs.tcmalloc", "tcmalloc kernels", 12),
    ("allocsim.designs.go", "go kernels", 12),
    ("allocsim.designs.glibc", "glibc kernels", 12),
    ("allocsim.libraries", "kernels that drive a library", 2),
    ("allocsim.traces", "kernels that read and write traces", 3),
    ("allocsim.generators", "kernels that generate workloads", 1),
    ("allocsim.benchmark", "kernels that measure", 2),
    ("allocsim.", "kernels that analyse traces", 2),
)
"""For each group: the prefix of its modules' names, a name for its kernels, and the CPU-seconds to
compile the kernels that one run needs. Measured on two x86-64 cores of a shared machine."""

UNKNOWN_SECONDS = 8
"""CPU-seconds announced for the kernels of a design from outside the package."""

_announced: set[str] = set()
"""The lines written so far, without "more of" and without the estimated time."""


def write_to_stderr(line: str) -> None:
    """Print the line; do nothing if standard error cannot be written."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


write: Callable[[str], None] = write_to_stderr
"""The function that prints a line. If the user cannot see the standard error of a process, the
process sets another function."""


def announce(module: str, is_more: bool = False) -> None:
    """Say that the kernels for `module` are being compiled, once per process.

    `is_more`: the kernels that take longest to compile are already cached, so the notice gives no
    estimate.
    """
    kernels, seconds = describe(module)
    if is_more:
        write_once(f"allocsim: compiling more of the {kernels}, on first use only")
    else:
        write_once(f"allocsim: compiling the {kernels}: about {seconds} s, on first use only")


def write_once(line: str) -> None:
    """Write a notice of this process or a child, unless it names kernels announced before."""
    kernels = re.sub(r"more of |: about \d+ s", "", line)
    if kernels not in _announced:
        _announced.add(kernels)
        write(line)


def describe(module: str) -> tuple[str, int]:
    """Return the name of a module's group of kernels, and the CPU-seconds to compile them."""
    for prefix, kernels, seconds in GROUPS:
        if module.startswith(prefix):
            return kernels, seconds
    file = getattr(sys.modules.get(module), "__file__", None) or module  # /home/me/mine.py
    return f"kernels of {file.rpartition('/')[2]}", UNKNOWN_SECONDS
