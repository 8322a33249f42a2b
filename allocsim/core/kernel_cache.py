"""The directory where compiled kernels, and other compiled files, are kept between runs.

Each copy of the package has several directories: one for each combination of versions (of Python,
Numba and NumPy) and of settings that change machine code. The name of a kernel's file contains the
kernel's name, and digests of its sources and of all else that determines its machine code, such as
the types of its arguments (see `kernel_files`).
"""

from __future__ import annotations

import contextlib
import hashlib
import mmap
import os
import secrets
import shutil
import stat
import sys
import time
from importlib.metadata import version
from pathlib import Path

from allocsim.signals import on_interrupt

MAX_UNUSED = 4
"""Number of directories that are kept although they have not been used for UNUSED seconds."""

UNUSED = 7 * 24 * 3600
"""A directory counts as unused this many seconds after its last use. No process reads a directory
for that long, so a deleted directory is not in use."""

MARKER = "CACHEDIR.TAG"

MARKER_TEXT = (
    "Signature: 8a477f597d28d172789f06886806bc55\n"  # https://bford.info/cachedir/
    "# Kernels compiled by allocsim, which deletes this directory when it has not been used "
    "for a week.\n"
)
"""Marks a directory as a cache, so that backups skip it, and as ours, so that we may delete it."""

CODE_SETTINGS = (
    *("NUMBA_BOUNDSCHECK", "NUMBA_DEBUG", "NUMBA_DEBUGINFO", "NUMBA_DEBUG_JIT", "NUMBA_DEBUG_NRT"),
    *("NUMBA_ENABLE_PROFILING", "NUMBA_EXTEND_VARIABLE_LIFETIMES", "NUMBA_LOOP_VECTORIZE"),
    *("NUMBA_LLVM_REFPRUNE_FLAGS", "NUMBA_LLVM_REFPRUNE_PASS", "NUMBA_OPT", "NUMBA_SLP_VECTORIZE"),
)
"""Variables that change the code that Numba generates, but not Numba's cache keys. Without them in
the key, one run with NUMBA_OPT=0 would leave slow kernels to all later runs."""

TEMPORARY = ("/tmp", "/var/tmp")
"""Temporary directories, used if no variable names one."""

PACKAGE = Path(__file__).parents[1]


def kernel_cache_directories(package: Path = PACKAGE) -> list[Path]:
    """Return the directories with the kernels of `package` (see `cache_directories`)."""
    return cache_directories("kernels", environment_key(package))


def cache_directories(kind: str, key: str) -> list[Path]:
    """Return the directories with compiled files of a kind; new files are written to the first.

    `key` identifies the conditions of the compilation, such as versions. There are two candidates.
    The first is below `allocsim` in NUMBA_CACHE_DIR or, if this is not set, in the user's cache
    directory (XDG). The second is in a private directory below the temporary directory. The list
    begins with the first candidate that can be written, which is created if needed. Candidates that
    can only be read follow.
    """
    only_read: list[Path] = []
    for choose in (_user_cache, _private_temporary):
        try:
            parent = choose()
        except (RuntimeError, OSError):  # no home, or no temporary directory
            continue
        directory = parent / f"{kind}-{key}"
        if _prepare(directory):
            _delete_unused(parent, directory, kind)
            return [directory, *only_read]
        if is_ours(directory) and directory.stat().st_uid == os.getuid():
            only_read.append(directory)
    return only_read


def environment_key(package: Path = PACKAGE) -> str:
    """Return sixteen hex digits that identify the package's path and the conditions of compilation.

    The conditions are the versions of Python, Numba and NumPy, the variables in CODE_SETTINGS, and
    the page size.

    Two copies of the package must not share files: each would delete the other's as outdated.
    """
    facts = (
        str(package),
        sys.implementation.cache_tag,
        version("numba"),
        version("numpy"),
        *(f"{name}={os.environ[name]}" for name in CODE_SETTINGS if name in os.environ),
        str(mmap.PAGESIZE),
    )
    return hashlib.sha256(os.fsencode("\0".join(facts))).hexdigest()[:16]


def replace_file(path: Path, content: bytes) -> None:
    """Write a file under another name and rename it, so that no reader sees half of it."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(8)}")

    def remove() -> None:
        """Remove the temporary file, if it still exists."""
        temporary.unlink(missing_ok=True)

    with on_interrupt(remove):
        try:
            temporary.write_bytes(content)
            temporary.replace(path)
        finally:
            remove()


def _user_cache() -> Path:
    """Return our directory in the user's cache directory.

    A relative NUMBA_CACHE_DIR is ignored, and so is a relative XDG_CACHE_HOME, as its specification
    says. Raises RuntimeError if the home directory is missing or its path is relative: the cache
    must not be in the current directory, because code is loaded from it.
    """
    named = Path(os.environ.get("NUMBA_CACHE_DIR", ""))
    if named.is_absolute():
        return named / "allocsim"
    cache = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if cache.is_absolute():
        return cache / "allocsim"
    home = Path.home()
    if not (home.is_absolute() and home.is_dir()):
        raise RuntimeError(f"the home directory {home} is relative or missing")
    return home / ".cache" / "allocsim"


def _private_temporary() -> Path:
    """Return a directory in the system's temporary directory that only this user can write to.

    Raises OSError if another user can write to the directory, because files of that user would be
    loaded and run.
    """
    directory = _temporary() / f"allocsim-{os.getuid()}"
    directory.mkdir(mode=0o700, exist_ok=True)
    status = directory.lstat()  # not stat, because another user's symbolic link may lead anywhere
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode) or status.st_mode & 0o022:
        raise PermissionError(f"{directory} belongs to another user or can be written by others")
    return directory


def _temporary() -> Path:
    """Return the first of the usual temporary directories that can be written.

    Raises FileNotFoundError if no such directory can be written. `tempfile.gettempdir` is not used,
    because it accepts a relative path and, as the last choice, returns the current directory.
    """
    named = (os.environ.get(name, "") for name in ("TMPDIR", "TEMP", "TMP"))
    for place in map(Path, (*named, *TEMPORARY)):
        if place.is_absolute() and os.access(f"{place}/.", os.W_OK | os.X_OK):
            return place
    raise FileNotFoundError("no temporary directory can be written")


def _prepare(directory: Path) -> bool:
    """Create `directory` for this user only and record its use; return False if it is unusable."""
    try:
        missing = [each for each in reversed(directory.parents) if not each.exists()]
        for place in (*missing, directory):  # with parents=True, only the last one gets the mode
            place.mkdir(mode=0o700, exist_ok=True)
        status = directory.lstat()  # not stat: a link may lead to files that were downloaded
        if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
            return False
        os.utime(directory)
        if not os.access(directory, os.W_OK | os.X_OK):
            return False
        if not is_ours(directory):
            replace_file(directory / MARKER, MARKER_TEXT.encode())
        return True
    except OSError:  # a file has that name, the disk is full, or the directory was just deleted
        return False


def is_ours(directory: Path) -> bool:
    """Return whether `directory` is one that this module has made: it holds the marker file."""
    try:
        return not directory.is_symlink() and (directory / MARKER).read_text("ascii") == MARKER_TEXT
    except (OSError, ValueError):
        return False


def _delete_unused(parent: Path, current: Path, kind: str) -> None:
    """Delete our unused directories of a kind, except the MAX_UNUSED most recently used."""
    with contextlib.suppress(OSError):
        others = [directory for directory in parent.glob(f"{kind}-*") if directory != current]
        for directory in sorted(others, key=_last_use, reverse=True)[MAX_UNUSED:]:
            if _last_use(directory) < time.time() - UNUSED and is_ours(directory):
                shutil.rmtree(directory, ignore_errors=True)


def _last_use(directory: Path) -> float:
    """Return the time of a directory's last use, or 0 if another process has just deleted it."""
    try:
        return directory.stat().st_mtime
    except OSError:
        return 0.0
