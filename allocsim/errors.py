"""Every error that allocsim raises on purpose; the command line prints them and nothing else does.

AllocsimError                 exit status
  CheckFailed                 1   a verification, a limit, a threshold did not hold
    LimitExceeded             1   the footprint passed --limit
    HeapFrozen                1   a frozen heap had to ask the OS
    Corruption                1   a stamp was overwritten, or an invariant does not hold
  InputError                  2   a file, a job or an option that cannot be used
    TraceError                2   a line of a trace
    JobError                  2   a job file
    UnknownName               2   a design, a workload, a parameter that does not exist
  InvalidFree                 2   free() of something that is not a live object
    DoubleFree                2   of an object that is free already
    UseAfterFree              2   view() of an object that has been freed
  EnvironmentLacks            3   something that this machine does not offer
    AddressSpaceError         3   the OS refused to reserve the address space
    OutOfMemory               3   the reservation is used up
    PlatformError             3   not Linux
  Interrupted               130   Ctrl-C
"""

from __future__ import annotations

from collections.abc import Iterable


class AllocsimError(Exception):
    """The root of the tree; `exit_status` is what the command line ends with."""

    exit_status = 2


class CheckFailed(AllocsimError):
    """A check that was asked for did not hold."""

    exit_status = 1


class LimitExceeded(CheckFailed):
    """The footprint passed the limit that was set."""


class HeapFrozen(CheckFailed):
    """A frozen heap had to ask the operating system for memory."""


class Corruption(CheckFailed):
    """An object's stamp was overwritten, or an invariant of the heap does not hold."""


class InputError(AllocsimError):
    """Input that cannot be used; the message says where it stands and what was expected."""


class TraceError(InputError):
    """A trace that cannot be read: the message names the file and the line."""


class JobError(InputError):
    """A job file that cannot be used: the message names the file and the key."""


class UnknownName(InputError):
    """A name that is not in its list; the message offers the nearest that is."""

    def __init__(self, kind: str, name: str, known: Iterable[str], other: str = "") -> None:
        """`other`: what the name may also be, besides one of the list, as in "or a file"."""
        import difflib  # here, since --help must not pay for it

        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=1)
        hint = f": did you mean '{near[0]}'? There is" if near else "; there is"
        listed = ", ".join([*names, other] if other else names)
        super().__init__(f"unknown {kind} '{name}'{hint}{': ' + listed if listed else ' none'}")


class InvalidFree(AllocsimError):
    """free() or realloc() of an address that is no live object."""

    def __init__(self, address: int, reason: str) -> None:
        super().__init__(f"invalid pointer {address:#x}: {reason}")
        self.address = address


class DoubleFree(InvalidFree):
    """free() of an object that is free already."""


class UseAfterFree(InvalidFree):
    """view() or usable_size() of an object that has been freed."""


class EnvironmentLacks(AllocsimError):
    """Something is missing that this run needs; the message says how to get it."""

    exit_status = 3


class AddressSpaceError(EnvironmentLacks):
    """The operating system refused to reserve address space."""

    def __init__(self, length: int, reason: str) -> None:
        super().__init__(
            f"the operating system refused {length / 2**30:.1f} GiB of address space ({reason}); "
            "reserve less with --reserve 1GiB, or raise the limit (ulimit -v, vm.overcommit_memory)"
        )


class OutOfMemory(EnvironmentLacks):
    """The reservation is used up."""


class Interrupted(AllocsimError):
    """The user has stopped the run; the message says how far it came."""

    exit_status = 130


class PlatformError(EnvironmentLacks):
    """This operating system lacks a call that allocsim rests on."""
