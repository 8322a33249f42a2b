"""allocsim: a workload driver and footprint profiler for memory allocators.

The public names:

    Heap       an allocator over real memory, by the name of its design
    Snapshot   where the bytes of a heap are at one moment
    Profile    what a run has measured
    AllocsimError and its kin in allocsim.errors

They are loaded when first used, so that `import allocsim` and `allocsim --help` stay light.
"""

from __future__ import annotations

from importlib import import_module

TYPE_CHECKING = False  # as typing has it, which takes 5 ms to import
if TYPE_CHECKING:
    from typing import Any

__version__ = "0.1.0"

_PLACES = {
    "Heap": "allocsim.heap",
    "Snapshot": "allocsim.profile",
    "Profile": "allocsim.profile",
    "AllocsimError": "allocsim.errors",
}

__all__ = ["AllocsimError", "Heap", "Profile", "Snapshot", "__version__"]


def __getattr__(name: str) -> Any:
    """Load a public name from the module that defines it."""
    if name not in _PLACES:
        raise AttributeError(f"module 'allocsim' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
