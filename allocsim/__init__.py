"""allocsim: a workload driver and footprint profiler for memory allocators.

The public names:

    open_trace     open a recording
    workload       open any workload: a recording, a job, or a bundled workload
    replay         replay a workload on a design; returns a Profile
    compare        measure designs and installed libraries on a workload
    explain        say who owns the footprint of a workload, and what would reduce it
    tune           find the best table of size classes for given workloads
    Heap           an allocator over real memory, to be called step by step
    Trace          a stream of events and its description
    Profile        what a replay measured
    Snapshot       what every byte of a heap is used for at one moment
    AllocsimError  the base class of all errors
    InputError     a wrong argument, or an unreadable file

The other errors are public names too; the docstring of `allocsim.errors` lists them.

Each name is loaded when it is first used, so that `import allocsim` and `allocsim --help` stay
fast.
"""

from __future__ import annotations

TYPE_CHECKING = False  # not imported from typing, because that import takes 5 ms
if TYPE_CHECKING:
    from typing import Any

    from allocsim.api import compare, open_trace, replay, workload
    from allocsim.api_explain import explain
    from allocsim.api_tune import tune
    from allocsim.errors import (
        AddressSpaceError,
        AllocsimError,
        CheckFailed,
        Corruption,
        DoubleFree,
        EnvironmentLacks,
        HeapFrozen,
        InputError,
        Interrupted,
        InvalidFree,
        JobError,
        LimitExceeded,
        OutOfMemory,
        PlatformError,
        TraceError,
        UnknownName,
        UseAfterFree,
    )
    from allocsim.events import Trace
    from allocsim.heap import Heap
    from allocsim.profile import Profile, Snapshot

__version__ = "0.1.0"

_MODULES = {
    "AddressSpaceError": "allocsim.errors",
    "AllocsimError": "allocsim.errors",
    "CheckFailed": "allocsim.errors",
    "Corruption": "allocsim.errors",
    "DoubleFree": "allocsim.errors",
    "EnvironmentLacks": "allocsim.errors",
    "Heap": "allocsim.heap",
    "HeapFrozen": "allocsim.errors",
    "InputError": "allocsim.errors",
    "Interrupted": "allocsim.errors",
    "InvalidFree": "allocsim.errors",
    "JobError": "allocsim.errors",
    "LimitExceeded": "allocsim.errors",
    "OutOfMemory": "allocsim.errors",
    "PlatformError": "allocsim.errors",
    "Profile": "allocsim.profile",
    "Snapshot": "allocsim.profile",
    "Trace": "allocsim.events",
    "TraceError": "allocsim.errors",
    "UnknownName": "allocsim.errors",
    "UseAfterFree": "allocsim.errors",
    "compare": "allocsim.api",
    "explain": "allocsim.api_explain",
    "open_trace": "allocsim.api",
    "replay": "allocsim.api",
    "tune": "allocsim.api_tune",
    "workload": "allocsim.api",
}
"""The module that defines each public name. No module of the package may have the name of a public
function, because importing the module would replace the function."""

__all__ = [
    "AddressSpaceError",
    "AllocsimError",
    "CheckFailed",
    "Corruption",
    "DoubleFree",
    "EnvironmentLacks",
    "Heap",
    "HeapFrozen",
    "InputError",
    "Interrupted",
    "InvalidFree",
    "JobError",
    "LimitExceeded",
    "OutOfMemory",
    "PlatformError",
    "Profile",
    "Snapshot",
    "Trace",
    "TraceError",
    "UnknownName",
    "UseAfterFree",
    "__version__",
    "compare",
    "explain",
    "open_trace",
    "replay",
    "tune",
    "workload",
]


def __getattr__(name: str) -> Any:
    """Load a public name from the module that defines it."""
    if name not in _MODULES:
        raise AttributeError(f"module 'allocsim' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """Return the public names, loaded or not."""
    return sorted({*globals(), *__all__})
