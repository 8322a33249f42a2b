"""Where compiled kernels are kept between runs.

Below `jit`, which asks for the directory before the first kernel is made. Its one rule: the name
of the directory is a hash of everything that compiled code depends on and Numba does not watch,
so an edit of any kernel's source file is never answered by an old kernel.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    NullCache,
    UserProvidedCacheLocator,
)

KEPT = 4
"""How many directories of other sources stay, however long nobody has used them."""

UNUSED = 7 * 24 * 3600
"""Seconds after which a directory that nobody has used may be deleted."""

SOURCES = (
    *("core", "designs", "generators", "traces", "libraries", "compare"),
    *("replay.py", "trace_stats_kernel.py", "trace_slice.py", "trace_subset.py"),
    *("stamps.py", "events.py", "text.py"),
)
"""What of the package holds kernels, or the constants and records that kernels read."""


def kernel_cache_directory() -> Path | None:
    """The directory of these sources' kernels, made if absent; None if none can be written.

    It lies in NUMBA_CACHE_DIR if that is set, else in the user's cache directory (XDG).
    """
    for place in (_named_or_home, _private_temporary):
        try:
            parent = place()
        except (RuntimeError, OSError):  # there is no home, or no temporary directory
            continue
        directory = parent / f"kernels-{fingerprint()}"
        if _writable(directory):
            _forget_unused(parent, directory)
            return directory
    return None


def fingerprint(package: Path = Path(__file__).parents[1]) -> str:
    """Sixteen hex digits that change with any kernel source, Numba, NumPy or bounds checking."""
    digest = hashlib.sha256()
    for root in SOURCES:
        place = package / root
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            digest.update(str(file.relative_to(package)).encode() + b"\0" + file.read_bytes())
    for fact in (version("numba"), version("numpy"), os.environ.get("NUMBA_BOUNDSCHECK", "")):
        digest.update(fact.encode() + b"\0")
    return digest.hexdigest()[:16]


def is_cold(directory: Path | None, kernels: str) -> bool:
    """Whether `kernels`, a design's for example, have yet to be compiled into `directory`."""
    return directory is None or not (directory / f"warm-{kernels}").exists()


def mark_warm(directory: Path | None, kernels: str) -> None:
    """Note that `kernels` were compiled into `directory`."""
    if directory is not None:
        with contextlib.suppress(OSError):
            (directory / f"warm-{kernels}").touch()


def _named_or_home() -> Path:
    """Where the user wants caches to be; RuntimeError if the user has no home."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    return Path(named or _cache_home() / "allocsim")


def _cache_home() -> Path:
    """The user's cache directory (XDG)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _private_temporary() -> Path:
    """A directory of this user's own below the system's temporary directory."""
    return Path(tempfile.gettempdir()) / f"allocsim-{os.getuid()}"


def _writable(directory: Path) -> bool:
    """Make `directory` for this user alone, note its use, and say whether it can be written."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.utime(directory)
        return os.access(directory, os.W_OK | os.X_OK) and directory.stat().st_uid == os.getuid()
    except OSError:  # a file in its place, a full disk, or another process that has deleted it
        return False


def _forget_unused(parent: Path, current: Path) -> None:
    """Delete the directories of other sources that nobody has used for long, but the newest.

    A process that runs now may be using one of other sources, even an older version's.
    """
    others = [place for place in parent.glob("kernels-*") if place != current]
    for place in sorted(others, key=_modified, reverse=True)[KEPT:]:
        if _modified(place) < time.time() - UNUSED:
            shutil.rmtree(place, ignore_errors=True)


def _modified(place: Path) -> float:
    """When `place` was last used; 0 if another process has just deleted it."""
    try:
        return place.stat().st_mtime
    except OSError:
        return 0.0


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
