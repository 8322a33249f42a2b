"""The line on standard error that says how long the compiling of kernels is likely to take.

Compiling takes many seconds in which nothing else happens, so it is always announced, even if
standard error is a log file or the Python API is used. One line announces everything that a command
is likely to compile: the command first calls `expect`. A further line follows only for a design
that was not expected.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable
from typing import NamedTuple

from allocsim.core.kernel_cache import kernel_cache_directories


class Group(NamedTuple):
    """A group of kernels."""

    prefix: str
    """The beginning of the names of its modules."""
    seconds: int
    """CPU-seconds to compile the kernels that one run needs. Measured on two x86-64 cores of a
    shared machine."""
    is_design: bool = False


GROUPS = (
    Group("allocsim.designs.go2008", 7, True),
    Group("allocsim.designs.tcmalloc", 12, True),
    Group("allocsim.designs.go", 12, True),
    Group("allocsim.designs.glibc", 12, True),
    Group("allocsim.libraries", 2),
    Group("allocsim.traces", 3),
    Group("allocsim.generators", 1),
    Group("allocsim.benchmark", 2),
    Group("allocsim.", 2),
)

UNKNOWN_SECONDS = 8
"""CPU-seconds announced for the kernels of a design from outside the package."""

MORE_SECONDS = 2
"""CPU-seconds announced for a group if the kernels that take longest are already cached."""

_expected: dict[str, int] = {}
"""CPU-seconds by the prefix of each group that the command is likely to compile."""

_announced: set[str] = set()
"""The prefixes of the groups that the lines written so far have announced."""

_lock = threading.Lock()
"""Held while `_expected` or `_announced` is changed. In a sweep, several threads may report at the
same time what their processes compile."""


def write_to_stderr(line: str) -> None:
    """Print the line; do nothing if standard error cannot be written."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


write: Callable[[str], None] = write_to_stderr
"""The function that prints a line."""


def expect(*modules: str) -> None:
    """Say which modules a command uses, so that its first line covers their groups of kernels."""
    with _lock:
        for group in map(group_of, modules):
            if group.prefix not in _announced:
                _expected[group.prefix] = group.seconds


def announce(module: str, is_more: bool = False) -> None:
    """Report that the kernels for `module` are being compiled.

    `is_more`: the kernels that take longest to compile are already cached.
    """
    group = group_of(module)
    report(group.prefix, MORE_SECONDS if is_more else group.seconds)


def write_once(prefix: str, seconds: int) -> None:
    """Announce that this process or a child process compiles a group of kernels.

    Does nothing if an earlier line has announced the group. The announced time is `seconds` plus
    the times of the other expected groups that have no cached kernel.
    """
    with _lock:
        if prefix in _announced:
            return
        others = {each: cost for each, cost in _expected.items() if each != prefix}
        _announced.update((prefix, *others), (each.prefix for each in GROUPS if not each.is_design))
        _expected.clear()
    total = seconds + sum(cost for each, cost in others.items() if not _is_cached(each))
    write(f"allocsim: compiling kernels: about {total} s, on first use only")


report: Callable[[str, int], None] = write_once
"""Called with the prefix of a group that is being compiled, and the CPU-seconds. A child process
replaces this function by one that sends both to the parent process."""


def group_of(module: str) -> Group:
    """Return the group of a module; for a module outside the package, a group of its own."""
    known = (group for group in GROUPS if module.startswith(group.prefix))
    return next(known, Group(module, UNKNOWN_SECONDS, True))


def _is_cached(prefix: str) -> bool:
    """Return whether the cache has a kernel of a group, perhaps an outdated one."""
    directories = kernel_cache_directories()
    return any(True for each in directories for _ in each.glob(f"{prefix.rstrip('.')}.*.nbc"))
