"""Compiled kernels as files: Numba's cache, which must never stop a run.

Between `kernel_cache`, which names the directory, and `jit`, which compiles. Its one rule:
whatever goes wrong on disk costs a compilation and nothing else: a full or read-only disk, a
directory that another process deletes, a file that is cut or rotten.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path
from typing import Any

from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    NullCache,
    UserProvidedCacheLocator,
)


class SealedFiles(IndexDataCacheFile):
    """Numba's files, each ended by a digest of what stands before it.

    Numba unpickles what it finds, and one flipped bit of machine code would run.
    """

    def _dump(self, obj: Any) -> bytes:
        """The pickle of `obj` and its digest, which unpickling passes over."""
        pickled: bytes = super()._dump(obj)
        return pickled + _digest(pickled)

    def _load_data(self, name: str) -> Any:
        """What a data file holds; OSError, as if there were none, unless its digest is right."""
        whole = Path(self._data_path(name)).read_bytes()
        if _digest(whole[:-DIGEST]) != whole[-DIGEST:]:
            raise OSError(f"{name} is damaged")
        return super()._load_data(name)


class _InItsDirectory(CompileResultCacheImpl):
    """Files of compiled functions, in the directory that was named and nowhere else."""

    _locator_classes = [UserProvidedCacheLocator]  # noqa: RUF012 - Numba's declaration


class KernelFiles(FunctionCache):
    """The compiled forms of one kernel on disk."""

    _impl_class = _InItsDirectory

    def __init__(self, function: Any) -> None:
        super().__init__(function)
        self._cache_file.__class__ = SealedFiles

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The kernel compiled for `sig`; None, and the next may be saved, if it cannot be had."""
        try:
            return super().load_overload(sig, target_context)
        except Exception:
            with contextlib.suppress(Exception):
                self.flush()  # a damaged index would keep all that is saved from being found
            return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Save a kernel, if the disk lets us."""
        with contextlib.suppress(Exception):
            super().save_overload(sig, data)


def kernel_files(function: Any) -> Any:
    """Where the compiled forms of `function` are kept; nowhere if its files cannot be made."""
    try:
        return KernelFiles(function)
    except Exception:
        return NullCache()


DIGEST = 32
"""Bytes of a digest."""


def _digest(content: bytes) -> bytes:
    """The digest of `content`."""
    return hashlib.sha256(content).digest()
