"""Make the commands import NumPy with one OpenBLAS thread, and check the address space first.

When OpenBLAS is loaded, it starts a thread for each processor, and takes some 40 MiB of address
space for each. allocsim does not use OpenBLAS. If the address space is limited (ulimit -v) and too
small, OpenBLAS ends the process with status 1, or the libraries of NumPy and LLVM fail to load with
messages that do not name the cause.

A Python program that imports allocsim keeps NumPy's own behaviour.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any

from allocsim.errors import EnvironmentLacks
from allocsim.text import printable

NEEDED = 288 << 20
"""Bytes of address space that NumPy, Numba and LLVM take. With 30 MiB less, they do not load."""

THREADS = "OPENBLAS_NUM_THREADS"

VARIABLES = ("NPY_", "NUMPY_")
"""Prefixes of the environment variables that NumPy reads when it is imported."""


def guard_numpy() -> None:
    """Make a later import of NumPy start no threads.

    The import raises EnvironmentLacks if too little address space is free. Does nothing if NumPy
    has been imported already.
    """
    if "numpy" not in sys.modules:
        sys.meta_path.insert(0, _Finder())  # a finder needs only the method find_spec


class _Finder:
    """Finds NumPy, once, by the other finders of sys.meta_path, and makes `_Loader` load it."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return the spec of NumPy; None for any other module."""
        if name != "numpy":
            return None
        require_address_space()
        sys.meta_path.remove(self)
        specs = (finder.find_spec(name, path, target) for finder in list(sys.meta_path))
        spec = next(filter(None, specs), None)
        if spec is not None and spec.origin is not None:
            spec.loader = _Loader(name, spec.origin)
        return spec


class _Loader(SourceFileLoader):
    """Loads NumPy with the variable THREADS set.

    The variable is restored afterwards, because programs that allocsim runs must not get it.
    """

    def exec_module(self, module: ModuleType) -> None:
        """Execute the module. Raises ImportError if NumPy rejects the value of a variable."""
        before = os.environ.get(THREADS)
        os.environ[THREADS] = "1"
        try:
            super().exec_module(module)
        except (RuntimeError, ValueError) as error:
            names = sorted(printable(name) for name in os.environ if name.startswith(VARIABLES))
            known = f"; variables of NumPy that are set: {', '.join(names)}" if names else ""
            raise ImportError(f"{error}{known}") from error
        finally:
            del os.environ[THREADS]
            if before is not None:
                os.environ[THREADS] = before


def require_address_space() -> None:
    """Raise EnvironmentLacks if the process cannot map NEEDED more bytes."""
    import mmap  # imported here: it would add 2 ms to --help

    try:
        mmap.mmap(-1, NEEDED, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, mmap.PROT_READ).close()
    except OSError:
        raise EnvironmentLacks(
            f"less than {NEEDED >> 20} MiB of address space is free, but NumPy and Numba need that "
            "much; raise the limit (ulimit -v)"
        ) from None
