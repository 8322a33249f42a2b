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
from collections.abc import Callable, Iterator
from typing import NamedTuple

from allocsim.core.kernel_cache import kernel_cache_directories


class Group(NamedTuple):
    """A group of kernels."""

    prefix: str
    """The beginning of the names of its modules."""
    seconds: float
    """CPU-seconds to compile the kernels that one run needs: the time of a command with an empty
    cache, minus its time when it is run again. Measured on two x86-64 cores of a shared machine."""
    is_design: bool = False


GROUPS = (
    Group("allocsim.designs.go2008", 5, True),
    Group("allocsim.designs.tcmalloc", 7, True),
    Group("allocsim.designs.go", 7, True),
    Group("allocsim.designs.glibc", 6.5, True),
    Group("allocsim.libraries", 0.5),
    Group("allocsim.traces", 2.5),
    Group("allocsim.generators", 0.3),
    Group("allocsim.benchmark", 2.6),
    Group("allocsim.explanation", 1),
    Group("allocsim.", 0.5),
)

UNKNOWN_SECONDS = 3
"""CPU-seconds announced for the kernels of a design from outside the package."""

FEW_SECONDS = 0.4
"""CPU-seconds announced for a group if the kernels that take longest are already cached or are not
needed."""

_expected: dict[str, float] = {}
"""CPU-seconds by the prefix of each group that the command is likely to compile."""

_announced: set[str] = set()
"""The prefixes of the groups that the lines written so far have announced."""

_is_replaying = True
"""Whether a design that compiles kernels is likely to need its replay loop."""

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


@contextlib.contextmanager
def without_replay() -> Iterator[None]:
    """Say that nothing is replayed in the context: only a few kernels of a design are compiled."""
    global _is_replaying
    before, _is_replaying = _is_replaying, False
    try:
        yield
    finally:
        _is_replaying = before


def announce(module: str, has_replay: bool = False) -> None:
    """Report that the kernels for `module` are being compiled.

    `has_replay`: the replay loop, which takes longest to compile, is already cached.
    """
    group = group_of(module)
    is_whole = _is_replaying and not has_replay
    report(group.prefix, group.seconds if is_whole else min(FEW_SECONDS, group.seconds))


def write_once(prefix: str, seconds: float) -> None:
    """Announce that this process or a child process compiles a group of kernels.

    Does nothing if an earlier line has announced the group. The announced time is `seconds` plus
    the times of the other expected groups that have no cached kernel, in whole seconds, at least 1.
    """
    with _lock:
        if prefix in _announced:
            return
        others = {each: cost for each, cost in _expected.items() if each != prefix}
        _announced.update((prefix, *others), (each.prefix for each in GROUPS if not each.is_design))
        _expected.clear()
    total = seconds + sum(cost for each, cost in others.items() if not _is_cached(each))
    write(f"allocsim: compiling kernels: about {max(round(total), 1)} s, on first use only")


report: Callable[[str, float], None] = write_once
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
