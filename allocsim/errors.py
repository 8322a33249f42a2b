"""The errors that allocsim raises on purpose. Only the command line prints them.

AllocsimError                 exit status
  CheckFailed                 1   a verification, a limit or a threshold failed
    LimitExceeded             1   the footprint exceeded --limit
    HeapFrozen                1   a frozen heap needed more memory from the OS
    Corruption                1   a fill pattern was overwritten, or an invariant does not hold
  InputError                  2   an unusable file, job or option
    TraceError                2   an unreadable trace
    JobError                  2   an unusable job file
    UnknownName               2   no such design, workload or parameter
  InvalidFree                 2   free() of an address that is not a live object
    DoubleFree                2   free() of an object that was freed before
    UseAfterFree              2   view() or usable_size() of an object that was freed before
  EnvironmentLacks            3   something is missing on this machine
    AddressSpaceError         3   the OS refused to reserve the address space
    OutOfMemory               3   the reserved address space is used up
    PlatformError             3   this OS lacks a call or a file that allocsim needs
  Interrupted               130   Ctrl-C
"""

from __future__ import annotations

import copyreg
from collections.abc import Iterable
from typing import Any

from allocsim.text import counted, shortened, with_short_names


class AllocsimError(Exception):
    """The base of all errors; the command line exits with `exit_status`."""

    exit_status = 2

    def __init__(self, *arguments: object) -> None:
        """Shorten the message if there is one, because a wrong value in it may have any length."""
        super().__init__(*(with_short_names(x) if isinstance(x, str) else x for x in arguments))

    def __reduce__(self) -> tuple[Any, ...]:
        """Return how to pickle the error, so that a worker process can raise it in its parent.

        Python's default would call `__init__` with the message as the only argument.
        """
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]


class CheckFailed(AllocsimError):
    """A check that the user requested has failed."""

    exit_status = 1


class LimitExceeded(CheckFailed):
    """The footprint exceeded its limit."""


class HeapFrozen(CheckFailed):
    """A frozen heap needed more memory from the operating system."""


class Corruption(CheckFailed):
    """An object's fill pattern was overwritten, or an invariant of the heap does not hold."""


class InputError(AllocsimError):
    """Unusable input; the message says where the input is wrong and what was expected."""


class TraceError(InputError):
    """An unreadable trace; the message names the file and the line."""


class JobError(InputError):
    """An unusable job file; the message names the file and the key."""


MAX_LISTED = 40
"""Maximum number of names that a message lists. A recording can have thousands of call sites."""


class UnknownName(InputError):
    """An unknown name; the message lists names that exist and suggests the nearest."""

    def __init__(self, kind: str, name: str, known: Iterable[str], other: str = "") -> None:
        """`other` says what is accepted besides the names, such as "a file"."""
        import difflib  # imported here, because --help does not need it

        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        left_out = len(names) - MAX_LISTED
        more = f" and {counted(left_out, 'other')}" if left_out > 0 else ""
        listed = f"one of: {', '.join(names[:MAX_LISTED])}{more}" if names else ""
        expected = " or ".join(filter(None, (other, listed)))
        remedy = f"expected {expected}" if expected else f"no {kind} is known"
        super().__init__(f"unknown {kind} '{shortened(name)}'{hint}; {remedy}")


class InvalidFree(AllocsimError):
    """free() or realloc() of an address that is not a live object."""

    def __init__(self, address: int, reason: str) -> None:
        text = f"{address:#x}"
        cut = f"{text[:20]}…" if len(text) > 20 else text  # because an int can have any length
        super().__init__(f"invalid pointer {cut}: {reason}")
        self.address = address


class DoubleFree(InvalidFree):
    """free() of an object that was freed before."""


class UseAfterFree(InvalidFree):
    """view() or usable_size() of an object that was freed before."""


class EnvironmentLacks(AllocsimError):
    """Something that this run needs is missing; the message says how to get it."""

    exit_status = 3


class AddressSpaceError(EnvironmentLacks):
    """The operating system refused to reserve address space."""

    def __init__(self, length: int, reason: str) -> None:
        super().__init__(
            f"cannot reserve {length / 2**30:.1f} GiB of address space ({reason}); use a smaller "
            "--reserve, such as 1GiB, or raise the limit (ulimit -v, vm.overcommit_memory)"
        )


class OutOfMemory(EnvironmentLacks):
    """The reserved address space is used up."""


class Interrupted(AllocsimError):
    """The user has interrupted the run; the message says how far it got."""

    exit_status = 130


class PlatformError(EnvironmentLacks):
    """This operating system lacks a call or a file that allocsim needs."""
