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
from importlib.metadata import version
from pathlib import Path

KEPT = 4
"""How many directories of earlier sources stay beside the newest."""

SOURCES = (
    *("core", "designs", "generators", "traces", "rivals"),
    *("replay.py", "survey.py", "pieces.py", "stamps.py", "events.py", "quantities.py"),
)
"""What of the package holds kernels, or the constants and records that kernels read."""


def kernel_cache_directory() -> Path | None:
    """The directory of these sources' kernels, made if absent; None if none can be written.

    It lies in NUMBA_CACHE_DIR if that is set, else in the user's cache directory (XDG).
    """
    named = os.environ.get("NUMBA_CACHE_DIR")
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    for parent in (Path(named) if named else home / "allocsim", _private_temporary()):
        directory = parent / f"kernels-{fingerprint()}"
        if _writable(directory):
            _forget_old(parent, directory)
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


def _private_temporary() -> Path:
    """A directory of this user's own below the system's temporary directory."""
    return Path(tempfile.gettempdir()) / f"allocsim-{os.getuid()}"


def _writable(directory: Path) -> bool:
    """Make `directory` for this user alone and say whether files can be made in it."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return False
    return os.access(directory, os.W_OK | os.X_OK) and directory.stat().st_uid == os.getuid()


def _forget_old(parent: Path, current: Path) -> None:
    """Delete all but the newest directories of earlier sources."""
    others = [place for place in parent.glob("kernels-*") if place != current]
    for place in sorted(others, key=_modified, reverse=True)[KEPT:]:
        shutil.rmtree(place, ignore_errors=True)


def _modified(place: Path) -> float:
    """When `place` was last changed; 0 if another process has just deleted it."""
    try:
        return place.stat().st_mtime
    except OSError:
        return 0.0
